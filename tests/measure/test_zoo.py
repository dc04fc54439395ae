"""Cheats and accidents in one sweep through Ray: each gets its status, none harms its neighbour."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from harness.config.catalog import gpus, kernels
from harness.dispatch.driver import run_sweep
from harness.dispatch.ray_cluster import RayCluster
from harness.dispatch.ray_dispatcher import RayDispatcher
from harness.measure.request import Request
from harness.measure.revision import kernel_revision
from harness.measure.supervisor import LOG_BYTES
from harness.model import Job, Kernel, Problem, Record, Status, Sweep, Timing
from harness.store import open_store
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

STATUSES = {
    Status.INCORRECT: [
        *("wrong_numbers", "wrong_mask", "nan_in_one_place", "infinite", "wrong_dtype"),
        *("wrong_shape", "returns_none", "writes_nothing", "last_tile_skipped", "only_small"),
        *("cached_output", "only_first_inputs", "wrong_later", "right_on_warm_up", "lazy_tensor"),
        "wrong_and_sloppy",
    ],
    Status.INVALID: [
        *("changes_inputs", "moves_inputs", "changes_threads", "changes_precision"),
        *("changes_default_dtype", "changes_deterministic_mode", "changes_gradient_mode"),
        *("flushes_denormals", "changes_environment", "changes_affinity", "changes_niceness"),
        *("replaces_timer", "replaces_cuda_event", "replaces_elapsed_time"),
        *("replaces_the_harness_clock", "replaces_a_competitor", "leaves_thread"),
        *("leaves_process", "forks", "works_in_a_thread", "works_in_a_raw_thread"),
        *("works_on_a_side_stream", "remembers_answers"),
    ],
    Status.ERROR: ["raises", "recurses", "exits"],
    Status.CRASHED: ["exits_hard", "aborts", "segfaults"],
    Status.TIMEOUT: ["hangs", "hangs_in_c"],
    Status.OUT_OF_MEMORY: ["allocates"],
    Status.OK: ["prints_megabytes"],
}
EXPECTED = {name: status for status, names in STATUSES.items() for name in names}
NEEDS_CUDA = {"works_on_a_side_stream"}

REASONS = {
    "wrong_numbers": "out: ",
    "wrong_dtype": "float64",
    "wrong_shape": "(1, 4, 63, 32)",
    "returns_none": "NoneType",
    "infinite": "infinite",
    "lazy_tensor": "a subclass",
    "raises": "tile size 7 is not supported",
    "exits": "sys.exit(3)",
    "exits_hard": "exit code 0",
    "aborts": "SIGABRT",
    "segfaults": "SIGSEGV",
    "changes_inputs": "input k",
    "moves_inputs": "input k",
    "changes_threads": "→ 1",
    "changes_precision": "highest → medium",
    "changes_default_dtype": "torch.float32 → torch.float64",
    "changes_deterministic_mode": "deterministic algorithms: False → True",
    "changes_environment": "OMP_NUM_THREADS",
    "replaces_timer": "time.perf_counter",
    "replaces_cuda_event": "torch.cuda.Event was replaced",
    "replaces_elapsed_time": "elapsed_time was replaced",
    "replaces_the_harness_clock": "harness.measure.device_cpu.host_ns was replaced",
    "replaces_a_competitor": "scaled_dot_product_attention was replaced",
    "leaves_thread": "threads",
    "leaves_process": "processes: 1 left running",
    "forks": "processes: 1 left running",
    "works_in_a_thread": "after the call had returned",
    "works_in_a_raw_thread": "after the call had returned",
    "remembers_answers": "keeps the answers",
}
"""What the reason must say, where the words matter."""

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
        dispatcher = RayDispatcher(cluster, gpus(), retries=0)
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
    # Its own clock holds it to no less; a machine with other work may make it late.
    assert 0.99 * NEIGHBOUR_MS <= neighbour.median_ms <= 8 * NEIGHBOUR_MS


def test_what_was_printed_is_kept_and_cut(records: Records) -> None:
    log = records["prints_megabytes"][0].log
    assert "spam" in log
    assert "bytes cut" in log
    assert len(log) < LOG_BYTES + 100


def test_a_kernel_that_raises_keeps_its_traceback(records: Records) -> None:
    assert "dying.py" in records["raises"][0].log


def test_a_wrong_kernel_is_told_what_else_it_did(records: Records) -> None:
    assert "get_num_threads()" in records["wrong_and_sloppy"][0].log
