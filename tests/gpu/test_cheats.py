"""The zoo of cheats on a GPU, where there are more ways to end a clock early."""

from __future__ import annotations

import dataclasses

import pytest

from harness.model import Problem, Status, Timing
from tests.cheats import EXPECTED, REASONS
from tests.gpu.conftest import Measure

PROBLEM = Problem(4, 2, 64, 64, 32, 32, "fp32", causal=True)
QUICK = Timing(
    launches=1, warmup_s=0.01, min_time_s=0.0, min_samples=6, max_samples=8, budget_s=1.0,
    timeout_s=120.0, memory_pass=False,
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_cheat_gets_its_status_and_the_next_job_is_well(name: str, measure: Measure) -> None:
    timing = dataclasses.replace(QUICK, timeout_s=3.0) if name.startswith("hangs") else QUICK
    record = measure(name, PROBLEM, timing)
    assert record.status is EXPECTED[name], f"{record.reason}\n{record.log}"
    assert REASONS.get(name, "") in record.reason
    after = measure("honest", PROBLEM, QUICK)
    assert after.status is Status.OK, after.reason
