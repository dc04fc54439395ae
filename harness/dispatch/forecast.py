"""How long a job will take and on which board it was measured before, from the store where it can.

A job that this store has measured took about as long as it will take; one that it hasn't gets the
plan's estimate (harness.plan.estimate). No number that is reported comes of either.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.dispatch.lanes import Group
from harness.measure.request import Request
from harness.model import Job
from harness.plan.estimate import job_s, latency_s
from harness.store import Store
from harness.store.earlier import Earlier, earlier


class Forecast:
    """Of the jobs of one plan. ``before`` names, for each problem on a GPU, the board of its last
    results: a GPU's UUID or a CPU's host."""

    def __init__(self, jobs: Sequence[Job], store: Store | None = None) -> None:
        found: dict[str, Earlier] = earlier(store, {job.key for job in jobs}) if store else {}
        self._cost_s = {key: was.duration_s for key, was in found.items()}
        self._latency_s: dict[Group, float] = {}
        self.before = {
            (job.gpu.name, job.problem.key): found[job.key].board
            for job in jobs
            if job.key in found
        }

    def cost_s(self, request: Request) -> float:
        """Seconds that a request will take, about."""
        job = request.job
        if job.key not in self._cost_s:
            group = (job.gpu.name, job.problem.key)
            if group not in self._latency_s:
                self._latency_s[group] = latency_s(job.problem, job.gpu)
            self._cost_s[job.key] = job_s(job, self._latency_s[group]) / job.timing.launches
        return self._cost_s[job.key]
