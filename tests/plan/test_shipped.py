"""Whatever lies in conf/ composes and plans; a new yaml is tested because it exists."""

from __future__ import annotations

import pytest

from harness.config import catalog
from harness.errors import ConfigError
from harness.plan import build_plan


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTNBENCH_STORE", "sqlite:///elsewhere.db")


@pytest.mark.parametrize("name", catalog.workloads())
def test_workload(name: str) -> None:
    planned = build_plan([f"workload={name}", "gpu=cpu"])
    (job,) = [*planned.plan.jobs, *(skip.job for skip in planned.plan.skips)]
    assert job.workload == name
    assert catalog.workloads()[name]["source"]


@pytest.mark.parametrize("name", catalog.gpus())
def test_gpu(name: str) -> None:
    gpu = catalog.gpus()[name]
    planned = build_plan(
        [f"gpu={name}", "cluster.address=head:6379"], cluster_gpus=lambda address: [gpu]
    )
    (job,) = [*planned.plan.jobs, *(skip.job for skip in planned.plan.skips)]
    assert job.gpu == gpu
    if gpu.kind != "cpu":
        assert gpu.source
        assert gpu.source_date
        assert gpu.peak_tflops
        assert gpu.bandwidth_gb_s
        assert gpu.device_name_pattern
        assert gpu.memory_gib_range
        assert (gpu.compute_capability is None) == (gpu.kind == "rocm")


@pytest.mark.parametrize("name", catalog.kernels())
def test_kernel(name: str) -> None:
    planned = build_plan([f"kernel={name}", "gpu=cpu", "dtype=fp32"])
    (job,) = [*planned.plan.jobs, *(skip.job for skip in planned.plan.skips)]
    assert job.kernel == catalog.kernels()[name]


@pytest.mark.parametrize("name", catalog.timings())
def test_timing(name: str) -> None:
    timing = catalog.timings()[name]
    if timing.impossible_on("cpu"):
        with pytest.raises(ConfigError, match="a CPU has cold, hot and sustained"):
            build_plan([f"timing={name}", "gpu=cpu"])
    gpu = "h100" if timing.impossible_on("cpu") else "cpu"
    planned = build_plan([f"timing={name}", f"gpu={gpu}", "cluster=elsewhere"])
    assert planned.plan.jobs[0].timing == timing


@pytest.mark.parametrize("direction", ["backward", "forward_backward"])
def test_a_graph_of_a_backward_pass_is_a_skip(direction: str) -> None:
    graph = ["timing=graph", "gpu=h100", "cluster=elsewhere", f"direction={direction}"]
    plan = build_plan(graph).plan
    assert not plan.jobs
    assert "forward direction alone" in plan.skips[0].reason


@pytest.mark.parametrize("name", catalog.stores())
def test_store(name: str) -> None:
    assert build_plan([f"store={name}"]).store.url == "sqlite:///elsewhere.db"


@pytest.mark.parametrize("name", catalog.clusters())
def test_cluster(name: str) -> None:
    assert build_plan([f"cluster={name}", "gpu=cpu"]).cluster.name == name


@pytest.mark.parametrize("name", catalog.experiments())
@pytest.mark.parametrize("gpu", ["cpu", "h100"])
def test_experiment(name: str, gpu: str) -> None:
    found = catalog.gpus()[gpu]
    planned = build_plan(
        [f"experiment={name}", f"gpu={gpu}", "cluster.address=head:6379"],
        cluster_gpus=lambda address: [found],
    )
    assert planned.plan.jobs
    assert catalog.experiments()[name]["name"] == name


def test_quickstart_fits_a_small_machine() -> None:
    planned = build_plan(["experiment=quickstart", "gpu=cpu"])
    assert 40 <= len(planned.plan.jobs) <= 80
    assert {job.problem.dtype for job in planned.plan.jobs} == {"fp32", "bf16"}
    assert {job.workload for job in planned.plan.jobs} == {"gpt2", "llama3_8b"}
    assert max(job.problem.seq_q for job in planned.plan.jobs) == 2048
    assert all(job.problem.causal for job in planned.plan.jobs)
    assert planned.plan.launches == 1
    assert planned.estimate_s < 90


def test_quickstart_goes_further_on_a_gpu() -> None:
    h100 = catalog.gpus()["h100"]
    command = ["experiment=quickstart", "gpu=h100", "cluster.address=head:6379"]
    jobs = build_plan(command, cluster_gpus=lambda address: [h100]).plan.jobs
    assert max(job.problem.seq_q for job in jobs) == 16384
    assert {"sdpa_cudnn", "sdpa_efficient", "flex"} <= {job.kernel.name for job in jobs}


def test_quantities_of_the_model_shapes() -> None:
    """FIELD.md §8; a window of W keys counts the own position, so W − 1 lie to its left."""
    shape = {
        job.workload: job.problem
        for job in build_plan(["experiment=model_shapes", "gpu=cpu"]).plan.jobs
    }
    assert (shape["gpt2"].heads_q, shape["gpt2"].heads_kv, shape["gpt2"].head_dim_qk) == (
        12,
        12,
        64,
    )
    assert (shape["llama3_405b"].heads_q, shape["llama3_405b"].group) == (128, 16)
    assert shape["mistral_7b"].window_left == 4095
    assert shape["gpt_oss_120b"].window_left == 127
    assert shape["gemma2_9b"].softcap == 50.0
