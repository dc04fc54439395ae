"""What the harness adds to each job, in a real sweep of small problems through Ray on the CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from harness.config.catalog import gpus
from harness.dispatch.base import Event
from harness.dispatch.driver import run_sweep
from harness.dispatch.ray_cluster import RayCluster
from harness.dispatch.ray_dispatcher import RayDispatcher
from harness.dispatch.rounds import requests_in_rounds
from harness.measure.revision import kernel_revision
from harness.model import Sweep
from harness.plan import build_plan
from harness.store import open_store
from tests.bench.row import Row, row

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


def rows() -> Iterator[Row]:
    """Time a job outside the worker's own work on it: oracles, transport and storing are in."""
    plan = build_plan(SWEEP, multirun=True).plan
    kernels = {job.kernel.name: job.kernel for job in plan.jobs}
    revisions = {name: kernel_revision(kernel) for name, kernel in kernels.items()}
    cluster = RayCluster(None)
    try:
        outside, jobs_s = [], []
        for repeat in range(3):
            dispatcher = RayDispatcher(cluster, gpus(), retries=0)
            sweep = Sweep(f"bench-{repeat}")
            requests = requests_in_rounds(plan.jobs, sweep.id, revisions, "")
            with (
                tempfile.TemporaryDirectory() as folder,
                open_store(str(Path(folder) / "bench.db"), create=True) as store,
            ):
                store.start_sweep(sweep)
                finished: list[float] = []

                def note(event: Event, finished: list[float] = finished) -> None:
                    finished.append(perf_counter())

                run_sweep(sweep, requests, store, dispatcher, note)
                worked = [record.duration_s for record in store.records()]
            dispatcher.release()
            # From the first event on: starting workers is paid once a round, not a job.
            wall = finished[-1] - finished[1]
            outside.append((wall - sum(worked[1:])) / (len(worked) - 1) * 1e3)
            jobs_s.append((len(worked) - 1) / wall)
        yield row("outside the worker's own work, a job", outside, "ms", "< 15 ms")
        yield row("jobs a second, 200 small CPU cells", jobs_s, "1/s")
    finally:
        cluster.close()
