"""Cheats and accidents in one sweep through Ray: each gets its status, none harms its neighbour."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from harness.config.catalog import gpus, kernels
from harness.dispatch.driver import run_sweep
from harness.dispatch.policy import RetryPolicy
from harness.dispatch.ray_cluster import RayCluster
from harness.dispatch.ray_dispatcher import RayDispatcher
from harness.measure.request import Request
from harness.measure.revision import kernel_revision
from harness.measure.supervisor import LOG_BYTES
from harness.model import Job, Kernel, Problem, Record, Status, Sweep, Timing
from harness.store import open_store
from tests.cheats import EXPECTED, NEEDS_CUDA, REASONS
from tests.conftest import zoo_names

PROBLEM = Problem(4, 2, 64, 64, 32, 32, "fp32", causal=True)
QUICK = Timing(
    launches=1,
    warmup_s=0.01,
    min_time_s=0.0,
    min_samples=5,
    max_samples=5,
    budget_s=1.0,
    timeout_s=60.0,
    memory_pass=False,
)
SHORT = dataclasses.replace(QUICK, warmup_s=0.0, timeout_s=1.0)
"""For what hangs."""
NEIGHBOUR_MS = 5.0
"""What tests/zoo/neighbour.py takes for a call, on its own clock."""

Records = dict[str, tuple[Record, Record]]


@pytest.fixture(scope="module")
def records(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Records:
    """Of each misbehaviour its record, and that of the neighbour measured right after it."""
    found, cpu = kernels([zoo]), gpus()["cpu"]
    neighbour = found["neighbour"]
    assert isinstance(neighbour, Kernel)
    sweep = Sweep("zoo")
    requests, pairs = [], {}
    for name in EXPECTED:
        if name in NEEDS_CUDA and not torch.cuda.is_available():
            continue
        misbehaving = found[name]
        assert isinstance(misbehaving, Kernel)
        timing = SHORT if name.startswith("hangs") else QUICK
        pair = [
            Request(sweep.id, Job(kernel, PROBLEM, cpu, how), kernel_revision(kernel))
            for kernel, how in (
                (misbehaving, timing),
                (dataclasses.replace(neighbour, options=(("beside", name),)), QUICK),
            )
        ]
        pairs[name] = [request.job.key for request in pair]
        requests += pair
    cluster = RayCluster(None)
    try:
        dispatcher = RayDispatcher(cluster, gpus(), RetryPolicy(retries=0))
        path = str(tmp_path_factory.mktemp("zoo-results") / "zoo.db")
        with open_store(path, create=True) as store:
            store.start_sweep(sweep)
            run_sweep(sweep, requests, store, dispatcher, lambda event: None)
            by_key = {record.job_key: record for record in store.records()}
        dispatcher.release()
    finally:
        cluster.close()
    return {name: (by_key[bad], by_key[good]) for name, (bad, good) in pairs.items()}


def test_the_zoo_is_complete() -> None:
    assert set(zoo_names()) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_misbehaviour_gets_its_status_and_harms_no_neighbour(name: str, records: Records) -> None:
    if name not in records:
        pytest.skip("needs a CUDA device")
    record, neighbour = records[name]
    assert record.status is EXPECTED[name], record.reason + record.log
    if record.status is not Status.OK:
        assert not record.samples_ms
        assert REASONS.get(name, "") in record.reason
        assert record.reason
    assert neighbour.status is Status.OK, neighbour.reason + neighbour.log
    assert neighbour.median_ms is not None
    # Its own clock holds every sample to no less; a machine with other work may make some late.
    assert neighbour.median_ms >= 0.99 * NEIGHBOUR_MS
    assert min(neighbour.samples_ms) <= 8 * NEIGHBOUR_MS


def test_what_was_printed_is_kept_and_cut(records: Records) -> None:
    log = records["prints_megabytes"][0].log
    assert "spam" in log
    assert "bytes cut" in log
    assert len(log) < LOG_BYTES + 100


def test_a_kernel_that_raises_keeps_its_traceback(records: Records) -> None:
    assert "dying.py" in records["raises"][0].log


def test_a_wrong_kernel_is_told_what_else_it_did(records: Records) -> None:
    assert "get_num_threads()" in records["wrong_and_sloppy"][0].log
