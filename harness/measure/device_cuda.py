"""A CUDA (or ROCm) GPU as a device: events, an L2 flush, the launch hidden behind a spin kernel.

nvbench queues each call behind a *blocking* kernel with a time-out, so that the host's launch cost
isn't in a small kernel's time; a kernel that synchronises inside deadlocks behind a block until
that time-out. Here the wait is a *spin* of bounded length, sized from the launches before: nothing
can deadlock, and where the host took longer than the spin, the call counts as late and the record
says ``launch_bound``.

Sources: nvbench ``detail/measure_cold`` and ``blocking_kernel``; triton ``testing.py`` (256 MB
flush); PyTorch, CUDA semantics, "CUDA Graphs"; see FIELD.md §1.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

import torch

from harness.errors import MeasureError
from harness.measure.clock import Stopwatch, host_ns
from harness.measure.device import Call, MeasuredDevice, NotCapturable
from harness.measure.nvml import SLOWING, Board, board_of, open_nvml
from harness.measure.state import Reading
from harness.model import Device, Memory

FLUSH_SHARE = 2  # times the L2 that the device reports
FLUSH_MIN_BYTES = 256 << 20
FLUSH_MIN_BYTES_ROCM = 512 << 20  # MI300X has 256 MB of Infinity Cache beyond the L2 it reports
SPIN_CYCLES_PER_US = 2000  # about 2 GHz: an over-estimate only lengthens the wait before a sample
SPIN_MARGIN = 1.5
SPIN_MIN_US = 20.0
SPIN_MAX_US = 5_000.0

# Taken at import, before any kernel file is loaded, so that a replaced Event changes nothing here.
_Event = torch.cuda.Event
_synchronize = torch.cuda.synchronize
_current_stream = torch.cuda.current_stream
_Graph = torch.cuda.CUDAGraph
_graph = torch.cuda.graph
GRAPH_WARMUP_CALLS = 3


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
        least = FLUSH_MIN_BYTES_ROCM if torch.version.hip else FLUSH_MIN_BYTES
        size = max(least, FLUSH_SHARE * l2)
        self._flush_buffer = torch.empty(size, dtype=torch.int8, device=self.torch_device)
        self._spin_us = SPIN_MIN_US
        self._timed = self._late = 0
        nvml = open_nvml()
        uuid = str(getattr(self._properties, "uuid", ""))
        self._board: Board | None = board_of(nvml, uuid) if nvml is not None else None

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

    def _between_events(self, call: Call, calls: int, *, spin: bool) -> float:
        start, end = _Event(enable_timing=True), _Event(enable_timing=True)
        if spin:
            torch.cuda._sleep(int(self._spin_us * SPIN_CYCLES_PER_US))
        queued = host_ns()
        start.record()
        for _ in range(calls):
            call()
        end.record()
        launch_us = (host_ns() - queued) / 1e3
        end.synchronize()
        if spin:
            self._timed += 1
            self._late += launch_us > self._spin_us
            self._spin_us = min(SPIN_MAX_US, max(SPIN_MIN_US, SPIN_MARGIN * launch_us))
        return float(start.elapsed_time(end)) / calls

    def time_one(self, call: Call) -> float:
        """One call between two events, queued behind the flush and a spin, ms."""
        return self._between_events(call, 1, spin=True)

    def time_batch(self, call: Call, calls: int) -> float:
        """Mean of ``calls`` calls between two events, ms."""
        return self._between_events(call, calls, spin=True)

    def time_burst(self, call: Call, calls: int) -> float:
        """The same without the spin, which would be a rest."""
        return self._between_events(call, calls, spin=False)

    def capture(self, calls: Sequence[Call]) -> Call:
        """All of ``calls`` in one CUDA graph, after a warm-up on a stream of its own.

        Raises NotCapturable where the kernel does what a graph can't hold: it synchronises, copies
        to the host, or allocates memory that torch doesn't know of.
        """
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(GRAPH_WARMUP_CALLS):
                calls[0]()
        torch.cuda.current_stream().wait_stream(side)
        _synchronize()
        graph = _Graph()
        try:
            with _graph(graph):
                for call in calls:
                    call()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            why = str(error).strip().splitlines()[0]
            raise NotCapturable(f"it can't be captured in a CUDA graph: {why}") from error
        return graph.replay

    def free_memory(self) -> int | None:
        """As the driver counts it."""
        return int(torch.cuda.mem_get_info()[0])

    def clock_mhz(self) -> float | None:
        """SM clock, through NVML."""
        return self._board.clock_mhz() if self._board is not None else None

    def max_clock_mhz(self) -> float | None:
        """The board's highest SM clock, through NVML."""
        return self._board.max_clock_mhz() if self._board is not None else None

    def read(self) -> Reading:
        """SM clock, power, temperature and what slows it, through NVML."""
        board = self._board
        if board is None:
            return Reading()
        held_by = board.clock_held_by()
        return Reading(
            clock_mhz=board.clock_mhz(),
            power_w=board.power_w(),
            temperature_c=board.temperature_c(),
            throttled_by=None if held_by is None else tuple(r for r in held_by if r in SLOWING),
        )

    def late_launches(self) -> float:
        """Share of the samples, since last asked, in which the host was slower than the spin."""
        share = self._late / self._timed if self._timed else 0.0
        self._timed = self._late = 0
        return share

    def peak_memory(self, call: Call) -> Memory:
        """Peak of torch's allocator over one call. Raw cudaMalloc inside a library isn't seen."""
        _synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        _synchronize()
        return Memory(torch.cuda.max_memory_allocated() - before, "torch allocator")

    def device_memory(self, call: Call) -> int:
        """Growth of the device's used memory over one call, as the driver counts it.

        Includes what a library takes by cudaMalloc past torch's allocator, and whole segments of
        that allocator, which keeps what the call has freed. What was given back to the driver
        within the call isn't seen, and other processes' allocations are: the device lock keeps
        those away that measure.
        """
        _synchronize()
        self.release_memory()
        before = torch.cuda.mem_get_info()[0]
        call()
        _synchronize()
        return max(0, int(before - torch.cuda.mem_get_info()[0]))

    def energy_j(self) -> float | str:
        """Of the whole board, through NVML."""
        if self._board is None:
            return "NVML, which has the board's counter, is not there"
        found = self._board.energy_j()
        return "this board has no energy counter (NVML)" if found is None else found

    def conditions(self) -> dict[str, float | str]:
        """Nothing beyond what is read beside the samples."""
        return {}

    def release_memory(self) -> None:
        """Empty torch's cache."""
        torch.cuda.empty_cache()
