"""Which GPUs a plan is for: named, local, or a cluster's; and boards that share a name or label."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import amd, hardware
from harness.config import catalog
from harness.errors import ConfigError, DispatchError
from harness.hardware import Board, identify, visible
from harness.model import Gpu
from harness.plan import build_plan, targets

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


def test_a_slice_of_a_board_is_named_as_what_it_is() -> None:
    """MIG: part of an H100 is no H100, and has none of its peaks."""
    part = Board(0, "NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9.8, 9.0, "MIG-1b2c")
    gpu = identify(part, KNOWN)
    assert gpu.name == "nvidia_h100_80gb_hbm3_mig_1g_10gb"
    assert gpu.peak_tflops == ()
    assert identify(board("NVIDIA H100 80GB HBM3", 79.6), KNOWN).name == "h100"


class CutBoard:
    """NVML of a machine with a whole board, and one that is cut into two of seven slices."""

    NVML_DEVICE_MIG_ENABLE = 1

    class NVMLError(Exception):
        pass

    class NVMLError_NotFound(NVMLError):
        pass

    def nvmlDeviceGetHandleByIndex(self, index: int) -> tuple[int, ...]:
        return (index,)

    def nvmlDeviceGetMigMode(self, handle: tuple[int, ...]) -> tuple[int, int]:
        if handle == (0,):
            raise self.NVMLError("not supported")
        return 1, 1

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: tuple[int, ...]) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(
        self, handle: tuple[int, ...], number: int
    ) -> tuple[int, ...]:
        if number > 1:
            raise self.NVMLError_NotFound
        return (*handle, number)

    def nvmlDeviceGetName(self, handle: tuple[int, ...]) -> str:
        return "NVIDIA A100-SXM4-40GB" + " MIG 3g.20gb" * (len(handle) - 1)

    def nvmlDeviceGetUUID(self, handle: tuple[int, ...]) -> str:
        return "MIG-" * (len(handle) - 1) + "GPU-" + "".join(map(str, handle))

    def nvmlDeviceGetMemoryInfo(self, handle: tuple[int, ...]) -> object:
        from types import SimpleNamespace

        return SimpleNamespace(total=(40 if len(handle) == 1 else 20) * hardware.GIB)

    def nvmlDeviceGetCudaComputeCapability(self, handle: tuple[int, ...]) -> tuple[int, int]:
        assert len(handle) == 1, "a slice has no answer of its own"
        return 8, 0


def test_slices_stand_in_the_place_of_a_board_that_is_cut() -> None:
    found = [one for index in (0, 1) for one in hardware._devices(CutBoard(), index)]
    assert [(one.index, one.is_slice, one.memory_gib) for one in found] == [
        (0, False, 40),
        (1, True, 20),
        (1, True, 20),
    ]
    assert [identify(one, KNOWN).name for one in found][:2] == [
        "a100_40",
        "nvidia_a100_sxm4_40gb_mig_3g_20gb",
    ]


def test_amd_boards_are_read_from_their_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"vendor": "0x1002", "product_name": "AMD Instinct MI300X OAM", "unique_id": "8f1e"}
    facts["mem_info_vram_total"] = str(192 * hardware.GIB)
    for number, more in enumerate(({}, {"vendor": "0x10de"}, {"product_name": "AMD Radeon X"})):
        device = tmp_path / "pci" / f"0000:0{number}:00.0"
        device.mkdir(parents=True)
        card = tmp_path / "drm" / f"card{number}"
        card.mkdir(parents=True)
        (card / "device").symlink_to(device)
        for name, value in (facts | more).items():
            (device / name).write_text(value + "\n")
    found = amd.amd_boards(tmp_path / "drm")
    monkeypatch.setattr(hardware, "amd_boards", lambda: found)
    monkeypatch.setattr(hardware, "nvidia_boards", list)
    named = [identify(one, KNOWN) for one in hardware.boards()]
    assert [(gpu.name, gpu.kind, gpu.vendor) for gpu in named] == [
        ("mi300x", "rocm", "amd"),
        ("amd_radeon_x", "rocm", "amd"),
    ]


def test_a_gpu_that_joins_is_waited_for_and_one_that_does_not_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def cluster_gpus(address: str | None) -> list[Gpu]:
        asked.append(address)
        return [KNOWN["l4"]] if len(asked) < 3 else [KNOWN["l4"], KNOWN["h100"]]

    monkeypatch.setattr(targets, "LOOK_S", 0.001)
    planned = build_plan([*CLUSTER, "gpu=h100", "cluster.wait_s=60"], cluster_gpus=cluster_gpus)
    assert {job.gpu.name for job in planned.plan.jobs} == {"h100"}
    assert len(asked) == 3
    with pytest.raises(DispatchError, match=r"has a t4 after 0.01 s; it has l4, h100"):
        build_plan([*CLUSTER, "gpu=t4", "cluster.wait_s=0.01"], cluster_gpus=cluster_gpus)
    asked.clear()
    with pytest.raises(DispatchError, match=r"has a t4; it has l4\. cluster\.wait_s"):
        build_plan([*CLUSTER, "gpu=t4"], cluster_gpus=cluster_gpus)
    assert len(asked) == 1, "without wait_s it fails at once"
