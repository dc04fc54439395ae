"""The device seam: what measuring needs of a device, whatever it is.

``open_device`` gives the one for a kind. A device times a call in two ways (one call with caches
flushed before it, or a batch of calls), describes itself, and measures the memory of a call.
Units: ms, bytes. Not thread-safe; one process measures on one device at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch

from harness.errors import MeasureError
from harness.model import Device, Gpu, Memory

Call = Callable[[], object]


class MeasuredDevice(ABC):
    """A device that calls can be timed on."""

    torch_device: torch.device
    """Where inputs are allocated."""

    @abstractmethod
    def describe(self) -> Device:
        """What it is, as it reports itself."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until everything that was started on it has ended."""

    def unfinished_ms(self) -> float:
        """Wait until everything has ended; how long that took beyond what is timed, ms.

        Where calls are timed on a stream: from its end to the end of all streams.
        """
        self.synchronize()
        return 0.0

    @abstractmethod
    def flush_caches(self) -> None:
        """Evict the inputs from its caches (asynchronously, where the device is)."""

    @abstractmethod
    def time_one(self, call: Call) -> float:
        """Time of one call, ms, after ``flush_caches`` was called."""

    @abstractmethod
    def time_batch(self, call: Call, calls: int) -> float:
        """Mean time of ``calls`` calls back to back, ms a call."""

    @abstractmethod
    def peak_memory(self, call: Call) -> Memory:
        """Peak that one call adds to what is allocated before it."""

    @abstractmethod
    def conditions(self) -> dict[str, float | str]:
        """Its state just now: clocks, power, load; what can't be read is left out."""

    @abstractmethod
    def release_memory(self) -> None:
        """Give cached memory back, between jobs."""


def open_device(gpu: Gpu) -> MeasuredDevice:
    """The device of this process for ``gpu``. Raises MeasureError where there is none."""
    if gpu.kind == "cpu":
        from harness.measure.device_cpu import CpuDevice

        return CpuDevice(gpu.threads)
    if gpu.kind in ("cuda", "rocm"):
        from harness.measure.device_cuda import CudaDevice

        return CudaDevice()
    raise MeasureError(f"no device of kind {gpu.kind!r} can be measured; there are cpu, cuda, rocm")
