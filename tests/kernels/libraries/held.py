"""An adapter held to its claims: the contract suite, in this process, through a stand-in."""

from __future__ import annotations

from functools import cache

import torch

from harness.measure import contract
from harness.measure.outcome import Outcome, Trial
from harness.measure.suite import tried_claim
from harness.model import Gpu, Problem
from harness.operators.base import Expected
from harness.operators.cases import cases
from tests.kernels.claims import shipped

H100 = Gpu("h100", "cuda", compute_capability=9.0)
CPU = torch.device("cpu")


class Here:
    """Tries a kernel in this process: a stand-in is nowhere else."""

    def attempt(self, trial: Trial) -> Outcome:
        """How it ended."""
        return contract.attempt(trial, CPU, oracle)


@cache
def oracle(problem: Problem, seed: int) -> Expected:
    """The fp64 oracle's word, once for all adapters of an operator."""
    return contract.oracle(problem, seed)


def claims(*names: str) -> list[tuple[str, str]]:
    """(kernel, direction) to hold. Types go through the same code: the last claimed stands for all.

    So do both backward directions: forward_backward compares the output too.
    """
    return [
        (name, direction)
        for name in names
        for direction in dict(shipped()[name].limits)["cuda"].directions
        if direction != "backward"
    ]


def hold(name: str, direction: str, refused: tuple[str, ...] = ()) -> None:
    """Every case of the claim is tried; asserts that all passed but those ``refused`` so.

    Backward, two: that autograd goes through the adapter is all that is its own there.
    """
    kernel = shipped()[name]
    dtype = dict(kernel.limits)["cuda"].dtypes[-1]
    if direction == "forward":
        claim = tried_claim(kernel, H100, dtype, direction, Here())
        assert claim.faults() == []
        tried = [outcome for _, outcome in claim.tried]
    else:
        some = list(cases(kernel, dtype, direction, H100))[:2]
        tried = [Here().attempt(Trial(kernel, problem)) for problem in some]
    allowed = {("refused", reason) for reason in refused}
    assert {(outcome.status, outcome.reason) for outcome in tried} - allowed == {("passed", "")}


def wrong(name: str, dtype: str) -> list[tuple[Problem, Outcome]]:
    """What failed of a claim: for tests that plant a fault."""
    return tried_claim(shipped()[name], H100, dtype, "forward", Here()).of("failed")
