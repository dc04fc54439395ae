"""What this machine has, found without torch: NVIDIA boards through NVML, AMD boards, and the CPU.

A slice of a board (MIG) is a device of its own, and is named as what it is.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.amd import VARIABLES, amd_boards
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
    vendor: str = "nvidia"
    """nvidia or amd."""

    @property
    def is_slice(self) -> bool:
        """Whether it is a part of a board: MIG, NVIDIA's Multi-Instance GPU."""
        return self.uuid.startswith("MIG-")


def boards() -> list[Board]:
    """The GPUs that a process started from here would see. Empty without a driver.

    Where MIG is on, a board's slices stand in its place. Raises DispatchError where there is a
    driver and it fails.
    """
    return nvidia_boards() or _amd()


def _amd() -> list[Board]:
    found = [
        Board(index, one.name, one.memory_bytes / GIB, None, one.uuid, "amd")
        for index, one in enumerate(amd_boards())
    ]
    for name in VARIABLES:
        found = visible(found, os.environ.get(name))
    return found


def nvidia_boards() -> list[Board]:
    """Those of NVIDIA, see ``boards``."""
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
        found = [one for i in range(pynvml.nvmlDeviceGetCount()) for one in _devices(pynvml, i)]
    except pynvml.NVMLError as error:
        raise DispatchError(f"the NVIDIA driver can't list its devices (NVML): {error}") from None
    finally:
        pynvml.nvmlShutdown()
    return visible(found, os.environ.get("CUDA_VISIBLE_DEVICES"))


def _devices(nvml: Any, index: int) -> list[Board]:
    """A board, or the slices that it is cut into (NVML's reference, "Multi Instance GPU")."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError:  # a board that can't be cut says "not supported"
        return [_board(nvml, index, handle)]
    if current != nvml.NVML_DEVICE_MIG_ENABLE:
        return [_board(nvml, index, handle)]
    slices = []
    for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except nvml.NVMLError_NotFound:  # fewer slices are made than could be
            continue
        slices.append(_board(nvml, index, part, of=handle))
    return slices


def _board(nvml: Any, index: int, handle: Any, of: Any = None) -> Board:
    whole = handle if of is None else of
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(whole)
    return Board(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory_gib=nvml.nvmlDeviceGetMemoryInfo(handle).total / GIB,
        compute_capability=float(f"{major}.{minor}"),
        uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
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
        # A slice bears its board's name, and has a part of its memory and of its peaks.
        if not board.is_slice and gpu.matches(board.name, board.memory_gib):
            return gpu
    return Gpu(
        name=slug(board.name),
        kind="rocm" if board.vendor == "amd" else "cuda",
        vendor=board.vendor,
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
