"""What the harness adds to each job, in a real sweep of small problems on the CPU.

Through Ray the wall time of a job beyond what its worker reports is measured as it is: oracles,
transport, storing. Inside a worker no clock is kept, so the same jobs are run once more in this
process with every stage timed (``stages``). Measuring is set-up, first call, memory pass and
sampling; checking is gates, audits and new values for the inputs.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter

from harness.config.catalog import gpus
from harness.dispatch.base import Dispatcher, Event
from harness.dispatch.driver import run_sweep
from harness.dispatch.inline import InlineDispatcher
from harness.dispatch.policy import RetryPolicy
from harness.dispatch.ray_cluster import RayCluster
from harness.dispatch.ray_dispatcher import RayDispatcher
from harness.dispatch.rounds import requests_in_rounds
from harness.measure.request import Request
from harness.measure.revision import kernel_revision
from harness.model import Plan, Sweep
from harness.plan import build_plan
from harness.store import open_store
from tests.bench.row import Row, row
from tests.bench.stages import CHECKING, INPUTS, MEASURING, ORACLE, REST, STORING, watching

SWEEP = [
    "kernel=eager,sdpa_math,sdpa_flash,numpy",
    "workload=gpt2",
    "workload.seq_len=range(16,416,8)",
    "dtype=fp32",
    "gpu=cpu",
    "timing=quick",
    "timing.budget_s=0.05",
    "timing.warmup_s=0.005",
    "timing.min_time_s=0.0",
]
"""200 cells, 12 heads of 64."""
REPEATS = 3
AIM_MS = 15


def rows() -> Iterator[Row]:
    """Each stage's ms a job, and all that is neither measuring nor checking."""
    plan = build_plan(SWEEP, multirun=True).plan
    outside, walls = _through_ray(plan)
    stages = [_inside(plan) for _ in range(REPEATS)]
    for name in (INPUTS, ORACLE, STORING, REST, CHECKING, MEASURING):
        yield row(f"{name}, a job", [stage[name] for stage in stages], "ms")
    yield row("outside the worker's own work, a job", outside, "ms")
    added = [o + s[INPUTS] + s[REST] for o, s in zip(outside, stages, strict=True)]
    yield row("all but measuring and checking, a job", added, "ms", f"< {AIM_MS} ms")
    shares = [a / wall * 100 for a, wall in zip(added, walls, strict=True)]
    yield row("… as a share of the sweep", shares, "%")
    yield row("oracles computed, a job", [stage["oracles"] for stage in stages], "1", "0.5")
    yield row("jobs a second, 200 small CPU cells", [1e3 / wall for wall in walls], "1/s")


def _through_ray(plan: Plan) -> tuple[list[float], list[float]]:
    """Of each repeat, ms a job outside the worker's own work, and wall ms a job."""
    outside, walls = [], []
    cluster = RayCluster(None)
    try:
        for repeat in range(REPEATS):
            dispatcher = RayDispatcher(cluster, gpus(), RetryPolicy(retries=0))
            finished, worked_s = _swept(plan, f"bench-{repeat}", dispatcher)
            dispatcher.release()
            # From the first event on: starting workers is paid once a round, not a job.
            wall_s, jobs = finished[-1] - finished[1], len(worked_s) - 1
            outside.append((wall_s - sum(worked_s[1:])) / jobs * 1e3)
            walls.append(wall_s / jobs * 1e3)
    finally:
        cluster.close()
    return outside, walls


def _inside(plan: Plan) -> dict[str, float]:
    """ms a job by stage, and oracles computed a job, all in this process."""
    gc.collect()
    gc.freeze()  # as the fork server does: else each series would collect Ray's and torch's modules
    with watching(plan.jobs[0].problem.operator) as stages:
        _, worked_s = _swept(plan, "bench-inside", InlineDispatcher())
    found = {name: seconds / len(worked_s) * 1e3 for name, seconds in stages.seconds.items()}
    return found | {"oracles": stages.calls[ORACLE] / len(worked_s)}


def _swept(plan: Plan, name: str, dispatcher: Dispatcher) -> tuple[list[float], list[float]]:
    """One sweep into a store of its own: when each event was through, and each job's time, s."""
    sweep, finished = Sweep(name), list[float]()

    def note(event: Event) -> None:
        finished.append(perf_counter())

    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(str(Path(folder) / "bench.db"), create=True) as store,
    ):
        store.start_sweep(sweep)
        run_sweep(sweep, _requests(plan, name), store, dispatcher, note)
        records = list(store.records())
    failed = [record for record in records if record.status != "ok"]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(records)} jobs failed: {failed[0].reason}")
    return finished, [record.duration_s for record in records]


def _requests(plan: Plan, sweep_id: str) -> Sequence[Request]:
    kernels = {job.kernel.name: job.kernel for job in plan.jobs}
    revisions = {name: kernel_revision(kernel) for name, kernel in kernels.items()}
    return requests_in_rounds(plan.jobs, sweep_id, revisions, "")
