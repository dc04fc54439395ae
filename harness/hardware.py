"""What this machine has, found without torch: NVIDIA boards through NVML, and the CPU."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DispatchError
from harness.model import Gpu
from harness.model.gpu import CPU, slug

GIB = 2**30


@dataclass(frozen=True)
class Board:
    """One GPU of this machine, as its driver reports it."""

    index: int
    """NVML's index."""
    name: str
    """Device name."""
    memory_gib: float
    """Memory, GiB."""
    compute_capability: float | None
    """CUDA compute capability."""
    uuid: str
    """Of the board."""


def boards() -> list[Board]:
    """The NVIDIA GPUs that a process started from here would see. Empty without a driver.

    Raises DispatchError where there is a driver and it fails.
    """
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return []  # before pynvml's import, which costs 40 ms of a listing
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_DriverNotLoaded:
        return []
    except pynvml.NVMLError as error:
        raise DispatchError(f"the NVIDIA driver doesn't answer (NVML): {error}") from None
    try:
        found = [_board(pynvml, i) for i in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        raise DispatchError(f"the NVIDIA driver can't list its devices (NVML): {error}") from None
    finally:
        pynvml.nvmlShutdown()
    return visible(found, os.environ.get("CUDA_VISIBLE_DEVICES"))


def _board(pynvml: object, index: int) -> Board:
    nvml: object = pynvml
    handle = nvml.nvmlDeviceGetHandleByIndex(index)  # type: ignore[attr-defined]
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)  # type: ignore[attr-defined]
    return Board(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(handle)),  # type: ignore[attr-defined]
        memory_gib=nvml.nvmlDeviceGetMemoryInfo(handle).total / GIB,  # type: ignore[attr-defined]
        compute_capability=float(f"{major}.{minor}"),
        uuid=_text(nvml.nvmlDeviceGetUUID(handle)),  # type: ignore[attr-defined]
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def visible(found: Iterable[Board], setting: str | None) -> list[Board]:
    """The boards that CUDA_VISIBLE_DEVICES leaves, by index or by (the start of) a UUID."""
    everything = list(found)
    if setting is None:
        return everything
    left: list[Board] = []
    for entry in filter(None, (part.strip() for part in setting.split(","))):
        match = [b for b in everything if str(b.index) == entry or b.uuid.startswith(entry)]
        if not match:  # CUDA itself stops at the first entry that it doesn't know
            break
        left.append(match[0])
    return left


def identify(board: Board, known: Mapping[str, Gpu]) -> Gpu:
    """The model in conf/gpu that a board is, or a description of it without any peak."""
    for gpu in known.values():
        if gpu.matches(board.name, board.memory_gib):
            return gpu
    return Gpu(
        name=slug(board.name),
        kind="cuda",
        vendor="nvidia",
        memory_gb=round(board.memory_gib * GIB / 1e9, 1),
        compute_capability=board.compute_capability,
        device_name_pattern=f"^{re.escape(board.name)}$",
    )


def local_gpus(known: Mapping[str, Gpu]) -> list[Gpu]:
    """Each GPU model of this machine once, in the order of its boards."""
    return list({gpu.name: gpu for gpu in (identify(b, known) for b in boards())}.values())


def local_targets(known: Mapping[str, Gpu]) -> list[Gpu]:
    """What ``gpu=local`` stands for: this machine's GPU models, or the CPU where it has none."""
    return local_gpus(known) or [known.get(CPU, Gpu(CPU, kind=CPU))]


def cpu_model() -> str:
    """The processor's model, e.g. ``AMD EPYC 9V74 80-Core Processor``."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))
