"""The contract suite: one kernel held to every claim of its yaml. Torch, numpy and yaml suffice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from harness.errors import KernelError
from harness.measure.outcome import Outcome, Trial
from harness.model import Gpu, Kernel, Problem
from harness.operators.cases import cases, claims

BIG = 30.0
"""How many times the usual scale the case of big scores has: exp overflows without a maximum."""
SOFTMAX = ("attention", "decode", "mla")
"""Operators whose scores have a scale."""


class Tries(Protocol):
    """What tries a kernel on a problem: ``Trials``, in a process of its own."""

    def attempt(self, trial: Trial) -> Outcome:
        """How it ended."""


@dataclass(frozen=True)
class Claim:
    """One dtype and direction of a kernel's limits, tried."""

    dtype: str
    direction: str
    masks: tuple[str, ...]
    """Masks that are claimed."""
    tried: tuple[tuple[Problem, Outcome], ...]
    """Every problem of it and how that ended."""

    def of(self, status: str) -> list[tuple[Problem, Outcome]]:
        """What ended in ``status``."""
        return [(problem, outcome) for problem, outcome in self.tried if outcome.status == status]

    def faults(self) -> list[str]:
        """A line a fault; a mask of which nothing could be tried is one."""
        out = [f"{problem.summary()}: {outcome.reason}" for problem, outcome in self.of("failed")]
        done = {p.mask for p, outcome in self.tried if outcome.status != "refused"}
        for mask in self.masks:
            if mask not in done:
                reasons = {o.reason for p, o in self.of("refused") if p.mask == mask}
                why = (
                    f"every case was refused: {'; '.join(sorted(reasons))}"
                    if reasons
                    else ("its other limits leave no case")
                )
                out.append(f"mask {mask} is claimed, but {why}")
        return out


def claims_of(kernel: Kernel, gpu: Gpu, trials: Tries) -> Iterator[Claim]:
    """Every claimed dtype and direction on ``gpu``, each tried when it is asked for.

    Raises KernelError where the kernel's file doesn't load.
    """
    for dtype, direction in claims(kernel, gpu.kind):
        yield tried_claim(kernel, gpu, dtype, direction, trials)


def tried_claim(kernel: Kernel, gpu: Gpu, dtype: str, direction: str, trials: Tries) -> Claim:
    """One claim, tried on every case of it. Raises KernelError as ``claims_of`` does."""
    problems = list(_problems(kernel, dtype, direction, gpu))
    fresh = {0, len(problems) - 1}
    tried = []
    for n, problem in enumerate(problems):
        outcome = trials.attempt(Trial(kernel, problem, fresh=n in fresh))
        if outcome.status == "broken":
            raise KernelError(outcome.reason)
        tried.append((problem, outcome))
    return Claim(dtype, direction, dict(kernel.limits)[gpu.kind].masks, tuple(tried))


def _problems(kernel: Kernel, dtype: str, direction: str, gpu: Gpu) -> Iterator[Problem]:
    """Every claimed case, and the last once more with big scores."""
    last = None
    for last in cases(kernel, dtype, direction, gpu):
        yield last
    if last is not None and kernel.operator in SOFTMAX:
        yield replace(last, scale=BIG * last.effective_scale)
