"""A plan over the zoo, and what runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.dispatch.rounds import requests_in_rounds
from harness.measure.request import Request
from harness.measure.revision import kernel_revision
from harness.model import Plan
from harness.plan import build_plan

QUICK = [
    "gpu=cpu",
    "dtype=fp32",
    "workload=gpt2",
    "workload.heads_q=2",
    "workload.head_dim=16",
    "timing=quick",
    "timing.warmup_s=0.01",
    "timing.min_time_s=0.0",
    "timing.budget_s=0.2",
    "timing.timeout_s=5",
]
Planner = Callable[..., Plan]


@pytest.fixture
def plan_of(zoo: Path) -> Planner:
    """A small plan on the CPU over kernels of the zoo and attnbench's own."""

    def make(*overrides: str) -> Plan:
        return build_plan([*QUICK, *overrides], multirun=True, kernel_dirs=[zoo]).plan

    return make


def requests_of(plan: Plan, sweep_id: str = "test") -> list[Request]:
    """All requests of a plan."""
    kernels = {job.kernel.name: job.kernel for job in plan.jobs}
    revisions = {name: kernel_revision(kernel) for name, kernel in kernels.items()}
    return requests_in_rounds(plan.jobs, sweep_id, revisions, "")
