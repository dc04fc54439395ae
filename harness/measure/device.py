"""The device seam: what measuring needs of a device, whatever it is.

``open_device`` gives the one for a kind. A device times a call (one after a flush, a batch, the
host's wall clock around it), describes itself, and measures the memory of a call.
Units: ms, bytes. Not thread-safe; one process measures on one device at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch

from harness.errors import MeasureError
from harness.measure.clock import host_ns
from harness.measure.state import NOTHING, Reading
from harness.model import Device, Gpu, Memory

Call = Callable[[], object]


class NotCapturable(Exception):
    """A kernel does what a graph can't hold: a fault of the kernel, not of the harness."""


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

    def time_burst(self, call: Call, calls: int) -> float:
        """As ``time_batch``, but without a rest before it: the device stays under load."""
        return self.time_batch(call, calls)

    def time_host(self, call: Call) -> float:
        """Wall clock of one call from an idle device until it is idle again, ms."""
        self.synchronize()
        start = host_ns()
        call()
        self.synchronize()
        return (host_ns() - start) / 1e6

    def capture(self, calls: Sequence[Call]) -> Call:
        """One call that replays all of ``calls`` in order, from a graph.

        Raises MeasureError where the device has no graphs, NotCapturable where the calls can't be
        in one.
        """
        raise MeasureError(f"a {self.torch_device.type} device has no graphs to capture calls in")

    def free_memory(self) -> int | None:
        """Bytes free on the device, None where nobody counts them."""
        return None

    def clock_mhz(self) -> float | None:
        """Its compute clock just now, None where it can't be read."""
        return None

    def max_clock_mhz(self) -> float | None:
        """The compute clock below which being slow is remarkable, None where there is no such."""
        return None

    def read(self) -> Reading:
        """Its state at this moment, cheap enough to be asked between samples."""
        return NOTHING

    def late_launches(self) -> float:
        """Share of the samples since this was last asked whose launch was not hidden, 0–1."""
        return 0.0

    @abstractmethod
    def peak_memory(self, call: Call) -> Memory:
        """Peak that one call adds to what is allocated before it."""

    def energy_j(self) -> float | str:
        """Energy it has used since some moment, J; or why that can't be known, in words."""
        return "this device has no energy counter"

    def device_memory(self, call: Call) -> int | None:
        """Bytes that one call takes from the device as a whole; None where nobody counts them."""
        return None

    @abstractmethod
    def conditions(self) -> dict[str, float | str]:
        """What else describes it in a record: load, governor …; what can't be read is left out."""

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
