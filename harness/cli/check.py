"""``attnbench check``: one kernel held to every claim of its yaml, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rich.console import Console

from harness.cli.availability import why_not
from harness.cli.check_report import Claim, print_claims
from harness.cli.common import user_kernel_dirs
from harness.errors import ConfigError, KernelError, did_you_mean
from harness.measure.outcome import Outcome, Trial
from harness.model import Gpu, Kernel, Problem

BIG = 30.0
"""How many times the usual scale the case of big scores has: exp overflows without a maximum."""
SOFTMAX = ("attention", "decode", "mla")
"""Operators whose scores have a scale."""


class Tries(Protocol):
    """What tries a kernel on a problem: ``Trials``, in a process of its own."""

    def attempt(self, trial: Trial) -> Outcome:
        """How it ended."""


def check_command(name: str, kernels: list[Path]) -> int:
    """Body of ``attnbench check``; returns 0 where all is right, 1 where something failed."""
    from harness.measure.trials import Trials

    kernel, gpus = _found(name, kernels)
    console, failures = Console(), 0
    for gpu in gpus:
        with Trials(gpu.kind) as trials:
            failures += print_claims(kernel, gpu, claims_of(kernel, gpu, trials), console)
    verdict = f"{failures} failed" if failures else "everything passed"
    console.print(f"{name}: {verdict}", markup=False, highlight=False)
    return 1 if failures else 0


def _found(name: str, folders: list[Path]) -> tuple[Kernel, list[Gpu]]:
    """The kernel, and the devices of this machine that it claims. Raises ConfigError if none."""
    from harness.config import catalog
    from harness.hardware import local_gpus
    from harness.measure.source import source_error
    from harness.model.gpu import CPU

    found = catalog.kernels(user_kernel_dirs(folders))
    if name in found.errors:
        raise ConfigError(f"kernel {name}: {found.errors[name]}")
    if name not in found:
        raise ConfigError(f"there is no kernel {name}. {did_you_mean(name, found)}")
    kernel, known = found[name], catalog.gpus()
    if (broken := source_error(kernel)) is not None:
        raise ConfigError(f"kernel {name}: {broken}")
    devices = [known[CPU], *local_gpus(known)]
    if (refusal := why_not(kernel, devices)) is not None:
        raise ConfigError(f"kernel {name} can't be checked here: it {refusal}")
    limits = dict(kernel.limits)
    fit = {
        gpu.kind: gpu
        for gpu in devices
        if gpu.kind in limits and limits[gpu.kind].device_refusal(gpu) is None
    }
    return kernel, list(fit.values())


def claims_of(kernel: Kernel, gpu: Gpu, trials: Tries) -> Iterator[Claim]:
    """Every claimed dtype and direction on ``gpu``, each tried when it is asked for.

    Raises KernelError where the kernel's file doesn't load.
    """
    from harness.operators.cases import claims

    for dtype, direction in claims(kernel, gpu.kind):
        problems = list(_problems(kernel, dtype, direction, gpu))
        fresh = {0, len(problems) - 1}
        tried = []
        for n, problem in enumerate(problems):
            outcome = trials.attempt(Trial(kernel, problem, fresh=n in fresh))
            if outcome.status == "broken":
                raise KernelError(outcome.reason)
            tried.append((problem, outcome))
        masks = dict(kernel.limits)[gpu.kind].masks
        yield Claim(dtype, direction, masks, tuple(tried))


def _problems(kernel: Kernel, dtype: str, direction: str, gpu: Gpu) -> Iterator[Problem]:
    """Every claimed case, and the last once more with big scores."""
    from harness.operators.cases import cases

    last = None
    for last in cases(kernel, dtype, direction, gpu):
        yield last
    if last is not None and kernel.operator in SOFTMAX:
        yield replace(last, scale=BIG * last.effective_scale)
