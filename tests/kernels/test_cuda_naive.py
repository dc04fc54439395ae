"""The naive CUDA kernel's own code on a CPU, over all that it claims, held to the oracle."""

from __future__ import annotations

import pytest
import torch

from harness.config.catalog import gpus
from harness.measure.contract import attempt
from harness.measure.outcome import Trial
from harness.model import Problem
from tests.kernels.claims import expected, problems, shipped
from tests.kernels.emulated import loader, needs_compiler

CPU = torch.device("cpu")
CASES = [p for d in ("fp16", "bf16") for p in problems("cuda_naive", d, "forward", gpus()["h100"])]


@needs_compiler
@pytest.mark.parametrize("problem", CASES, ids=lambda p: p.summary())
def test_its_numbers_are_right(problem: Problem) -> None:
    outcome = attempt(Trial(shipped()["cuda_naive"], problem), CPU, expected, loader())
    assert outcome.status == "passed", outcome.reason
    assert outcome.repeatable
