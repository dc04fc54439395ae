"""Planned: a plan with the settings it will be carried out with, and its plain JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.model import Job, Plan
from harness.plan.estimate import estimate_s


@dataclass(frozen=True)
class StoreSettings:
    """Where records go."""

    name: str
    """Option of conf/store."""
    url: str
    """SQLAlchemy URL."""


@dataclass(frozen=True)
class ClusterSettings:
    """Which machines measure."""

    name: str
    """Option of conf/cluster."""
    dispatcher: str = "ray"
    """ray, or inline: in this very process."""
    address: str | None = None
    """Of a running Ray cluster; None starts Ray on this machine."""
    wait_s: float = 0.0
    """Wait this long for a GPU that no node has yet, s."""
    retries: int = 2
    """Give a job whose worker or node was lost to another one, at most this often."""
    crash_retries: int = 1
    """Run a job whose kernel crashed again, at most this often."""
    set_aside_after: int = 5
    """A kernel that fails this often in a row on a board is left out there; 0: never."""
    fail_fast: bool = False
    """End the sweep with the first job that fails."""


@dataclass(frozen=True)
class Planned:
    """What a command will do."""

    plan: Plan
    """Jobs, and skips with reasons."""
    store: StoreSettings
    """Where records go."""
    cluster: ClusterSettings
    """Which machines measure."""
    config_yaml: str
    """The composed config of the first cell, as yaml."""
    overrides: tuple[str, ...] = ()
    """What it was given."""
    kernel_dirs: tuple[str, ...] = field(default=())
    """Kernel folders beyond attnbench's own."""

    @property
    def experiment(self) -> str:
        """Name of the experiment; several are joined by commas; "" for an ad-hoc matrix."""
        return self.plan.name

    @property
    def estimate_s(self) -> float:
        """Rough time of the sweep, s (harness.plan.estimate)."""
        return estimate_s(self.plan)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: jobs, skips with reasons, launches and the estimate."""
        problems: dict[str, dict[str, Any]] = {}  # shared by the rows of one problem
        return {
            "name": self.plan.name,
            "jobs": [_row(job, problems) for job in self.plan.jobs],
            "skipped": [
                {**_row(skip.job, problems), "reason": skip.reason} for skip in self.plan.skips
            ],
            "excluded": self.plan.excluded,
            "launches": self.plan.launches,
            "estimate_s": round(self.estimate_s, 1),
        }


def _row(job: Job, problems: dict[str, dict[str, Any]]) -> dict[str, Any]:
    problem = job.problem
    shown = problems.get(problem.key)
    if shown is None:
        shown = problems[problem.key] = problem.to_dict()
    return {
        "job_key": job.key,
        "kernel": job.kernel.name,
        "workload": job.workload,
        "gpu": job.gpu.name,
        "dtype": problem.dtype,
        "direction": problem.direction,
        "mode": job.timing.mode,
        "problem": shown,
    }
