"""Nodes that die and join, and a head that is lost, on a real cluster of several nodes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from harness.config.catalog import gpus
from harness.dispatch import ray_dispatcher
from harness.dispatch.base import Event, Finished, Started
from harness.dispatch.driver import run_sweep
from harness.dispatch.policy import RetryPolicy
from harness.dispatch.ray_cluster import RayCluster
from harness.dispatch.ray_dispatcher import RayDispatcher
from harness.model import Status, Sweep
from harness.store import open_store
from tests.dispatch import fake_cluster
from tests.dispatch.fake_worker import JOB_S, FakeWorker
from tests.dispatch.matrix import requests
from tests.soak.soak import Soak

ROOT = Path(__file__).parents[2]
SWEEP = Sweep("simulated")


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Cluster, list[Any]]]:
    """The cluster and its nodes, the one that may be killed last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(JOB_S, "0.1")
        cluster = fake_cluster.started()
        yield cluster, [fake_cluster.add(cluster, 2), fake_cluster.add(cluster, 2)]
        cluster.shutdown()


def test_labels_names_and_memory_tell_which_node_has_a_gpu(
    nodes: tuple[Cluster, list[Any]],
) -> None:
    """An H100 of SXM and one of PCIe bear one label of Ray; a slice is no H100 at all."""
    cluster, _ = nodes
    one = {"ray.io/accelerator-type": "H100"}
    more = [
        fake_cluster.H100_PCIE | one,
        fake_cluster.L4 | {"ray.io/accelerator-type": "L4"},
        fake_cluster.SLICE | one,
    ]
    added = [fake_cluster.add(cluster, 1, labels) for labels in more]
    joined = RayCluster(cluster.address, FakeWorker)
    try:
        found = {gpu.name for gpu in joined.gpus(gpus())}
        assert found == {"h100", "h100_pcie", "l4", "nvidia_h100_80gb_hbm3_mig_1g_10gb"}
        assert len(joined.places(gpus=True, cpus=False)) == 7
        assert len(joined.places(gpus=True, cpus=False, labels={"L4"})) == 5, "unlabelled ones too"
        dispatcher = RayDispatcher(joined, gpus())
        given = requests(2, kernels=1, launches=1, gpus=("h100_pcie", "l4"))
        ended = [event for event in dispatcher.run(given) if isinstance(event, Finished)]
        assert len(ended) == 4
        used = {board.gpu.name: board.place.node_id for board in dispatcher.boards()}
        assert used == {"h100_pcie": added[0].node_id, "l4": added[1].node_id}
    finally:
        joined.close()
        for node in added:
            cluster.remove_node(node)


def test_a_node_killed_in_the_middle_and_one_that_joins_late(
    nodes: tuple[Cluster, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its jobs run elsewhere, the late one takes work over, and every job is stored once."""
    monkeypatch.setattr(ray_dispatcher, "LOOK_S", 0.2)
    cluster, some = nodes
    given = requests(60, kernels=2, launches=1)
    joined = RayCluster(cluster.address, FakeWorker)
    dispatcher = RayDispatcher(joined, gpus(), RetryPolicy(retries=2))
    # Ray ends a driver with the node that it is attached to: that is the lost driver's case.
    own = ray.get_runtime_context().get_node_id()
    doomed = next(node for node in reversed(some) if node.node_id != own)
    some.remove(doomed)
    workers: Counter[str] = Counter()
    finished = 0

    def meddle(event: Event) -> None:
        nonlocal finished
        if isinstance(event, Started):
            workers[event.worker] += 1
        elif isinstance(event, Finished):
            finished += 1
            if finished == 10:
                cluster.remove_node(doomed, allow_graceful=False)
                fake_cluster.add(cluster, 1)

    with open_store(str(tmp_path / "results.db"), create=True) as store:
        store.start_sweep(SWEEP)
        try:
            outcome = run_sweep(SWEEP, given, store, dispatcher, meddle)
        finally:
            dispatcher.close()
        records = list(store.records())
    assert outcome.counts == {Status.OK: len(given)}
    assert Counter(r.job_key for r in records) == Counter(r.job.key for r in given)
    assert {r.attempt for r in records} == {0, 1}, "what it had in hand was tried again"
    assert len(workers) == 5, "two boards that stay, two that die, one that joins"


def test_ten_random_kills_lose_and_double_nothing(
    nodes: tuple[Cluster, list[Any]], tmp_path: Path
) -> None:
    """A tenth of ``make soak``: actors, nodes and the driver itself."""
    cluster, some = nodes
    soak = Soak(cluster, some[:1], tmp_path, seed=4, problems=30, say=print)
    soak.run(kills=10)
    print(soak.killed)
    assert soak.faults() == []


def test_a_lost_head_ends_the_driver_with_a_line_and_what_is_stored_stays(
    nodes: tuple[Cluster, list[Any]], tmp_path: Path
) -> None:
    """The last test of this cluster."""
    cluster, _ = nodes
    url = str(tmp_path / "results.db")
    words = ["-m", "tests.dispatch.driver_program", cluster.address, url, "swept", "200"]
    program = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert program.stdout is not None
    said = []
    for line in program.stdout:
        said.append(line)
        if line == "Finished\n":
            cluster.head_node.kill_gcs_server()
            break
    try:
        said += program.communicate(timeout=90)[0].splitlines()
    finally:
        program.kill()
    assert program.returncode == 2, said[-25:]
    assert "no longer answers" in said[-1]
    with open_store(url, read_only=True) as store:
        assert len(list(store.records())) >= 1
        assert store.sweep("swept").state == "interrupted"
