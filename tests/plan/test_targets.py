"""Which GPUs a plan is for: named, local, or a cluster's; and boards that share a name or label."""

from __future__ import annotations

import pytest

from harness import hardware
from harness.config import catalog
from harness.errors import ConfigError, DispatchError
from harness.hardware import Board, identify, visible
from harness.model import Gpu
from harness.plan import build_plan

KNOWN = catalog.gpus()
CLUSTER = ["cluster.address=head:6379"]


def board(name: str, memory_gib: float, index: int = 0) -> Board:
    return Board(index, name, memory_gib, 9.0, f"GPU-{index}{index}")


@pytest.mark.parametrize(
    ("device", "memory_gib", "name"),
    [
        ("NVIDIA H100 80GB HBM3", 79.6, "h100"),
        ("NVIDIA H100 PCIe", 79.6, "h100_pcie"),
        ("NVIDIA A100-SXM4-40GB", 40.0, "a100_40"),
        ("NVIDIA A100-SXM4-80GB", 80.0, "a100_80"),
        ("NVIDIA H200", 140.4, "h200"),
        ("NVIDIA B200", 179.1, "b200"),
        ("NVIDIA L4", 22.5, "l4"),
        ("NVIDIA L40S", 45.0, "l40s"),
        ("NVIDIA A10", 22.5, "a10"),
        ("Tesla T4", 15.0, "t4"),
        ("Tesla V100-SXM2-32GB", 31.7, "v100"),
        ("NVIDIA GeForce RTX 4090", 24.0, "rtx4090"),
        ("NVIDIA GeForce RTX 5090", 31.8, "rtx5090"),
        ("AMD Instinct MI300X OAM", 192.0, "mi300x"),
    ],
)
def test_a_device_is_exactly_one_known_model(device: str, memory_gib: float, name: str) -> None:
    assert [gpu.name for gpu in KNOWN.values() if gpu.matches(device, memory_gib)] == [name]


@pytest.mark.parametrize(
    ("device", "memory_gib"),
    [
        ("NVIDIA H100 NVL", 93.6),
        ("NVIDIA GH200 480GB", 95.6),
        ("NVIDIA A100 80GB PCIe", 80.0),
        ("NVIDIA A100-PCIE-40GB", 40.0),
        ("NVIDIA A10G", 22.5),
        ("NVIDIA L40", 45.0),
        ("NVIDIA H200 NVL", 140.4),
        ("NVIDIA GB200", 186.0),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 16.0),
        ("NVIDIA GeForce RTX 4090 D", 24.0),
        ("Tesla V100-PCIE-32GB", 31.7),
        ("Tesla V100-SXM2-16GB", 15.8),
        ("NVIDIA RTX 6000 Ada Generation", 48.0),
    ],
)
def test_a_relative_of_a_known_model_gets_no_peaks(device: str, memory_gib: float) -> None:
    gpu = identify(board(device, memory_gib), KNOWN)
    assert gpu.peak_tflops == ()
    assert gpu.bandwidth_gb_s is None
    assert gpu.name not in KNOWN
    assert gpu.matches(device, memory_gib)


def test_local_is_each_model_of_this_machine_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        board("NVIDIA H100 80GB HBM3", 79.6, 0),
        board("NVIDIA H100 80GB HBM3", 79.6, 1),
        board("NVIDIA Something New", 50.0, 2),
    ]
    monkeypatch.setattr(hardware, "boards", lambda: found)
    planned = build_plan(["gpu=local"])
    cells = [*planned.plan.jobs, *(skip.job for skip in planned.plan.skips)]
    assert [job.gpu.name for job in cells] == ["h100", "nvidia_something_new"]


def test_local_is_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "boards", list)
    (job,) = build_plan(["gpu=local", "gpu.threads=1"]).plan.jobs
    assert (job.gpu.name, job.gpu.kind, job.gpu.threads) == ("cpu", "cpu", 1)


def test_a_gpu_that_this_machine_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "boards", list)
    monkeypatch.setattr("harness.plan.targets.boards", list)
    with pytest.raises(DispatchError, match=r"gpu=h100: this machine has no GPU and a CPU of \d+"):
        build_plan(["gpu=h100"])


def test_a_gpu_that_no_node_has() -> None:
    with pytest.raises(DispatchError, match="no node of the cluster at head:6379 has a h100"):
        build_plan(["gpu=h100", *CLUSTER], cluster_gpus=lambda address: [KNOWN["l4"], KNOWN["cpu"]])


def test_all_is_what_the_cluster_has() -> None:
    asked: list[None] = []

    def gpus(address: str | None) -> list[Gpu]:
        asked.append(None)
        return [KNOWN["l4"], KNOWN["h100"]]

    command = ["gpu=all", "workload.seq_len=128,256", *CLUSTER]
    planned = build_plan(command, multirun=True, cluster_gpus=gpus)
    assert {job.gpu.name for job in planned.plan.jobs} == {"l4", "h100"}
    assert len(asked) == 1


def test_a_cluster_is_asked_only_where_it_is_needed() -> None:
    def never(address: str | None) -> list[Gpu]:
        raise AssertionError("asked")

    for command in (["gpu=cpu"], ["gpu=local"], ["gpu=cpu", *CLUSTER]):
        assert build_plan(command, cluster_gpus=never).plan.jobs
    with pytest.raises(ConfigError, match="can't ask a cluster"):
        build_plan(["gpu=all", *CLUSTER])


def test_two_names_for_one_thing_are_one_job() -> None:
    planned = build_plan(["gpu=cpu,local"], multirun=True)
    assert len({job.key for job in planned.plan.jobs}) == len(planned.plan.jobs)


def test_visible_devices() -> None:
    found = [board("a", 1, 0), board("b", 1, 1), board("c", 1, 2)]
    assert visible(found, None) == found
    assert visible(found, "") == []
    assert visible(found, "2,0") == [found[2], found[0]]
    assert visible(found, "GPU-11") == [found[1]]
    assert visible(found, "1,7,0") == [found[1]]


def test_this_machine() -> None:
    assert hardware.usable_cores() >= 1
    assert hardware.cpu_model()
