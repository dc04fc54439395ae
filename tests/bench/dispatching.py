"""Dispatch: how evenly a cluster is busy, and what a job costs beside its own work.

The cluster of 64 and of 1,000 GPUs is simulated (tests/dispatch/simulated.py): the planner's and
the dispatcher's logic are the real ones, durations and their estimates are drawn. Through real Ray,
jobs that do nothing run on fake boards; beside them stand the same through Hydra's own launcher,
which starts them one by one in its process.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from harness.config.catalog import gpus
from harness.dispatch.driver import run_sweep
from harness.dispatch.ray_cluster import RayCluster
from harness.dispatch.ray_dispatcher import RayDispatcher
from harness.measure.request import Request
from harness.model import Sweep
from harness.store import open_store
from tests.bench.row import Row, row, timed
from tests.dispatch import fake_cluster
from tests.dispatch.fake_worker import JOB_S, FakeWorker
from tests.dispatch.matrix import durations, requests
from tests.dispatch.simulated import SimulatedCluster

OFF_BY = 0.3
"""Standard deviation of the logarithm of an estimate over what a job takes."""
NO_OPS = 20
HYDRA = """
import hydra
@hydra.main(version_base=None)
def main(cfg): pass
main()
"""


def rows() -> Iterator[Row]:
    """The simulated cluster, then real Ray, then Hydra."""
    for boards, groups, repeats in ((64, 20, 2), (1000, 20, 1)):
        found = [_simulated(boards, groups, seed) for seed in range(repeats)]
        busy = [makespan for makespan, _ in found]
        yield row(f"makespan over its lower bound, {boards} GPUs", busy, "×", "< 1.05")
        rate = [jobs_s for _, jobs_s in found]
        yield row(f"jobs a second in the driver, {boards} GPUs", rate, "1/s", "> 1000")
    yield row("… stored as they arrive (SQLite)", [_stored() for _ in range(3)], "1/s", "> 1000")
    for boards in (1, 4):
        each = _through_ray(boards)
        if boards == 1:
            yield row("dispatch of a no-op job, one board", [1e3 * s for s in each], "ms")
        yield row(f"no-op jobs a second, Ray, boards: {boards}", [1 / s for s in each], "1/s")
    yield row("no-op jobs a second, Hydra's launcher", [_hydra()], "1/s")


def _simulated(boards: int, groups: int, seed: int) -> tuple[float, float]:
    """Makespan over the lower bound max(all work / boards, longest job), and jobs/s."""
    given = requests(boards * groups)
    took, draw = durations(given, seed), random.Random(seed)
    guess = {key: seconds * draw.lognormvariate(0, OFF_BY) for key, seconds in took.items()}
    cluster = _cluster(boards, took, guess)
    wall = timed(lambda: list(cluster.run(given)))
    bound = max(sum(took[r.job.key] for r in given) / boards, *took.values())
    return cluster.now_s / bound, len(given) / wall


def _cluster(boards: int, took: dict[str, float], guess: dict[str, float]) -> SimulatedCluster:
    def duration_s(request: Request) -> float:
        return took[request.job.key]

    def cost_s(request: Request) -> float:
        return guess[request.job.key]

    return SimulatedCluster({"h100": boards}, duration_s, cost_s=cost_s)


def _stored() -> float:
    """Jobs a second through the whole driver: course, record, store."""
    given = requests(1000)
    took = dict.fromkeys((r.job.key for r in given), 1.0)  # a thousand end each second
    sweep = Sweep("simulated")
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(str(Path(folder) / "bench.db"), create=True) as store,
    ):
        store.start_sweep(sweep)
        cluster = _cluster(1000, took, took)
        wall = timed(lambda: run_sweep(sweep, given, store, cluster, lambda event: None))
    return len(given) / wall


def _through_ray(boards: int) -> list[float]:
    """Seconds a job that does nothing, of each repeat, on a real cluster with fake boards."""
    os.environ[JOB_S] = "0"
    cluster = fake_cluster.started()
    fake_cluster.add(cluster, boards)
    each = []
    try:
        joined = RayCluster(cluster.address, FakeWorker)
        for _ in range(3):
            given = requests(200)
            dispatcher = RayDispatcher(joined, gpus())
            began: float | None = None
            for _ in dispatcher.run(given):
                began = began or perf_counter()  # workers start once a sweep, not once a job
            each.append((perf_counter() - (began or 0.0)) / len(given))
            dispatcher.release()
        joined.close()
    finally:
        cluster.shutdown()
    return each


def _hydra() -> float:
    """Jobs a second that do nothing, beyond what one alone takes."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "noop.py").write_text(HYDRA)

        def run(jobs: int) -> float:
            words = [sys.executable, "noop.py", "-m", f"+x=range(0,{jobs})"]
            return timed(lambda: subprocess.run(words, cwd=folder, check=True, capture_output=True))

        return NO_OPS / (run(NO_OPS + 1) - run(1))
