"""A CUDA (or ROCm) GPU as a device: events, an L2 flush, the launch hidden behind a spin kernel.

Sources: nvbench ``detail/measure_cold`` (flush, blocking kernel, events), triton ``testing.py``
(256 MB flush); see FIELD.md §1.
"""

from __future__ import annotations

import socket

import torch

from harness.errors import MeasureError
from harness.measure.clock import Stopwatch, host_ns
from harness.measure.device import Call, MeasuredDevice
from harness.model import Device, Memory

FLUSH_SHARE = 2  # times the L2 that the device reports
FLUSH_MIN_BYTES = 256 << 20
SPIN_CYCLES_PER_US = 2000  # about 2 GHz: an over-estimate only lengthens the wait before a sample
SPIN_MARGIN = 1.5
SPIN_MIN_US = 20.0
SPIN_MAX_US = 5_000.0

# Taken at import, before any kernel file is loaded, so that a replaced Event changes nothing here.
_Event = torch.cuda.Event
_synchronize = torch.cuda.synchronize
_current_stream = torch.cuda.current_stream


class CudaDevice(MeasuredDevice):
    """The first visible GPU of this process."""

    def __init__(self) -> None:
        if not torch.cuda.is_available():
            raise MeasureError(
                "this worker was asked to measure a CUDA GPU, but torch "
                f"{torch.__version__} sees none (torch.version.cuda: {torch.version.cuda})"
            )
        self.torch_device = torch.device("cuda", 0)
        torch.cuda.set_device(0)
        self._properties = torch.cuda.get_device_properties(0)
        l2 = int(getattr(self._properties, "L2_cache_size", 0))
        size = max(FLUSH_MIN_BYTES, FLUSH_SHARE * l2)
        self._flush_buffer = torch.empty(size, dtype=torch.int8, device=self.torch_device)
        self._launch_us = SPIN_MIN_US

    def describe(self) -> Device:
        """As torch and the driver report it."""
        p = self._properties
        return Device(
            model=p.name,
            kind="rocm" if torch.version.hip else "cuda",
            uuid=str(getattr(p, "uuid", "")) or f"{socket.gethostname()}:{p.name}",
            host=socket.gethostname(),
            memory_bytes=int(p.total_memory),
            cache_bytes=int(getattr(p, "L2_cache_size", 0)) or None,
            units=int(p.multi_processor_count),
            compute_capability=None if torch.version.hip else float(f"{p.major}.{p.minor}"),
        )

    def synchronize(self) -> None:
        """Wait for every stream."""
        _synchronize()

    def unfinished_ms(self) -> float:
        """From the end of the timed stream to the end of every stream, ms."""
        _current_stream().synchronize()
        watch = Stopwatch()
        _synchronize()
        return watch.ms()

    def flush_caches(self) -> None:
        """Overwrite at least twice the L2."""
        self._flush_buffer.zero_()

    def _spin(self) -> None:
        """Keep the stream busy until the host has queued the next call.

        A bounded spin rather than a blocking kernel: a kernel that synchronises inside would
        deadlock behind a block, behind this it only sees its own launch cost.
        """
        torch.cuda._sleep(int(self._launch_us * SPIN_CYCLES_PER_US))

    def _between_events(self, call: Call, calls: int) -> float:
        start, end = _Event(enable_timing=True), _Event(enable_timing=True)
        self._spin()
        start.record()
        queued = host_ns()
        for _ in range(calls):
            call()
        launch_us = (host_ns() - queued) / 1e3
        end.record()
        end.synchronize()
        self._launch_us = min(SPIN_MAX_US, max(SPIN_MIN_US, SPIN_MARGIN * launch_us))
        return float(start.elapsed_time(end)) / calls

    def time_one(self, call: Call) -> float:
        """One call between two events, queued behind the flush and a spin, ms."""
        return self._between_events(call, 1)

    def time_batch(self, call: Call, calls: int) -> float:
        """Mean of ``calls`` calls between two events, ms."""
        return self._between_events(call, calls)

    def peak_memory(self, call: Call) -> Memory:
        """Peak of torch's allocator over one call. Raw cudaMalloc inside a library isn't seen."""
        _synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        _synchronize()
        return Memory(torch.cuda.max_memory_allocated() - before, "torch allocator")

    def conditions(self) -> dict[str, float | str]:
        """SM clock, power, temperature through NVML, where its Python binding is installed."""
        from harness.measure.nvml import read_conditions

        return read_conditions(str(getattr(self._properties, "uuid", "")))

    def release_memory(self) -> None:
        """Empty torch's cache."""
        torch.cuda.empty_cache()
