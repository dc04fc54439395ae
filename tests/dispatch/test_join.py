"""Joining a running cluster, and what it says where one isn't as it should be."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from harness.config.catalog import gpus
from harness.dispatch.base import Event, Finished
from harness.dispatch.policy import RetryPolicy
from harness.dispatch.ray_cluster import RayCluster
from harness.dispatch.ray_dispatcher import RayDispatcher
from harness.errors import DispatchError
from harness.model import Status
from tests.dispatch.conftest import QUICK, Planner, requests_of


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 2, "num_gpus": 0, "include_dashboard": False},
    )
    yield cluster
    cluster.shutdown()


@pytest.fixture
def joined(running: Cluster) -> Iterator[RayCluster]:
    cluster = RayCluster(running.address)
    yield cluster
    cluster.close()


def test_a_sweep_runs_on_a_cluster_that_was_there(joined: RayCluster, plan_of: Planner) -> None:
    assert [gpu.name for gpu in joined.gpus(gpus())] == ["cpu"]
    dispatcher = RayDispatcher(joined, gpus(), RetryPolicy(retries=0))
    plan = plan_of("kernel=honest", "workload.seq_len=32")
    events: list[Event] = list(dispatcher.run(requests_of(plan)))
    finished = [event for event in events if isinstance(event, Finished)]
    assert [event.record.status for event in finished] == [Status.OK]


def test_it_leaves_the_cluster_running(running: Cluster) -> None:
    for _ in range(2):
        cluster = RayCluster(running.address)
        assert ray.nodes()
        cluster.close()


def test_a_gpu_that_no_node_has(joined: RayCluster, plan_of: Planner) -> None:
    from dataclasses import replace

    request = requests_of(plan_of("kernel=honest", "workload.seq_len=32"))[0]
    request = replace(request, job=replace(request.job, gpu=gpus()["h100"]))
    with pytest.raises(DispatchError, match="h100"):
        list(RayDispatcher(joined, gpus(), RetryPolicy(retries=0)).run([request]))


def test_other_versions_are_refused(joined: RayCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.dispatch import ray_worker

    mine = ray_worker.versions()
    monkeypatch.setattr(ray_worker, "versions", lambda: {**mine, "attnbench": "99.0"})
    with pytest.raises(DispatchError, match=r"attnbench .* this driver 99\.0"):
        joined.boards(gpus(), with_cpus=True)


def test_an_address_where_nobody_listens() -> None:
    with pytest.raises(DispatchError, match=r"can't reach the Ray cluster at 127\.0\.0\.1:1"):
        RayCluster("127.0.0.1:1")


def test_the_same_command_with_resume_runs_what_a_killed_driver_left(
    running: Cluster, zoo: Path, empty_folder: Path
) -> None:
    words = [sys.executable, "-c", "from harness.cli import main; main()", "run", "-m", *QUICK]
    words += ["--kernels", str(zoo), f"cluster.address={running.address}"]
    words += ["kernel=honest", "workload.seq_len=range(16,112,16)"]
    store = empty_folder / "results" / "attnbench.db"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}

    def stored() -> list[tuple[str, int, int]]:
        if not store.exists():
            return []
        with closing(sqlite3.connect(store, timeout=30)) as database, suppress(sqlite3.Error):
            return database.execute("SELECT job_id, launch, id FROM result ORDER BY id").fetchall()
        return []

    driver = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    while len(stored()) < 2:
        assert driver.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    before = stored()
    again = subprocess.run(
        [*words, "resume=true"], env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    after = stored()
    assert after[: len(before)] == before
    assert len({row[:2] for row in after}) == len(after) == 6
    assert f"[{6 - len(before)}/{6 - len(before)}]" in again.stderr
