"""The CPU as a device: explicit threads, a cache flush, resident-set memory."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import socket
from pathlib import Path

import torch

from harness.hardware import cpu_model, usable_cores
from harness.measure.clock import host_ns
from harness.measure.device import Call, MeasuredDevice
from harness.measure.processor import Cores, Rapl
from harness.measure.state import Reading
from harness.model import Device, Memory

FLUSH_SHARE = 2  # times the last-level cache (FIELD.md §1.6)
FLUSH_MIN_BYTES = 64 << 20
KIB = 1024


def machine_uuid() -> str:
    """An id of this machine that survives reboots: a hash of /etc/machine-id, or of its name."""
    try:
        seed = Path("/etc/machine-id").read_text().strip()
    except OSError:
        seed = ""
    seed = seed or f"host:{socket.gethostname()}"
    return "cpu-" + hashlib.sha256(f"attnbench:{seed}".encode()).hexdigest()[:16]


def last_level_cache_bytes() -> int | None:
    """Size of the largest cache of core 0, or None where the system doesn't say."""
    best = None
    for size in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        found = re.fullmatch(r"(\d+)([KM])", size.read_text().strip())
        if found:
            value = int(found.group(1)) * (KIB if found.group(2) == "K" else KIB**2)
            best = max(best or 0, value)
    return best


class CpuDevice(MeasuredDevice):
    """This machine's processor with a fixed number of threads."""

    def __init__(self, threads: int | None) -> None:
        self.threads = threads or usable_cores()
        self.torch_device = torch.device("cpu")
        torch.set_num_threads(self.threads)
        self._cache = last_level_cache_bytes()
        size = max(FLUSH_MIN_BYTES, FLUSH_SHARE * (self._cache or 0))
        self._flush_buffer = torch.zeros(size // 4, dtype=torch.int32)
        self._affinity = sorted(os.sched_getaffinity(0))
        self._cores = Cores(self._affinity)
        self._rapl = Rapl()

    def describe(self) -> Device:
        """Model name with the thread count: another count is another device."""
        plural = "thread" if self.threads == 1 else "threads"
        return Device(
            model=f"{cpu_model()}, {self.threads} {plural}",
            kind="cpu",
            uuid=machine_uuid(),
            host=socket.gethostname(),
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            cache_bytes=self._cache,
            units=self.threads,
        )

    def synchronize(self) -> None:
        """Nothing runs behind a CPU call's back."""

    def flush_caches(self) -> None:
        """Write twice the last-level cache, with all threads, so that no input stays in it."""
        self._flush_buffer.add_(1)

    def time_one(self, call: Call) -> float:
        """One call by the host's monotonic clock, ms."""
        start = host_ns()
        call()
        return (host_ns() - start) / 1e6

    def time_batch(self, call: Call, calls: int) -> float:
        """Mean of ``calls`` calls by the host's monotonic clock, ms."""
        start = host_ns()
        for _ in range(calls):
            call()
        return (host_ns() - start) / 1e6 / calls

    def peak_memory(self, call: Call) -> Memory:
        """Growth of the resident set's high-water mark over one call.

        The mark outlives earlier work, so it is reset through /proc/self/clear_refs (proc(5)), and
        free heap is handed back first, or the call would be served from it unseen.
        """
        self.release_memory()
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError as error:
            return Memory(None, f"not measured: /proc/self/clear_refs: {error.strerror}")
        before = _status_bytes("VmRSS")
        call()
        return Memory(max(0, _status_bytes("VmHWM") - before), "resident set")

    def read(self) -> Reading:
        """Clock of the cores, and whether heat held one back, where the system shows them."""
        cores = self._cores
        return Reading(clock_mhz=cores.clock_mhz(), throttled_by=cores.throttled_by())

    def energy_j(self) -> float | str:
        """Of the processor's packages, through RAPL: their other cores' too, not the memory's."""
        return self._rapl.energy_j()

    def conditions(self) -> dict[str, float | str]:
        """The cores it may use, load, niceness; governor and highest clock where they are shown."""
        found: dict[str, float | str] = {
            "cores": ",".join(map(str, self._affinity)),
            "load_1min": os.getloadavg()[0],
            "niceness": os.getpriority(os.PRIO_PROCESS, 0),
        }
        governor, limit = self._cores.governor(), self._cores.max_clock_mhz()
        if governor is not None:
            found["governor"] = governor
        if limit is not None:
            found["clock_limit_mhz"] = limit
        return found

    def release_memory(self) -> None:
        """Give the heap's free pages back to the system (glibc's malloc_trim)."""
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _status_bytes(field: str) -> int:
    """A field of /proc/self/status, bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * KIB
    raise OSError(f"/proc/self/status has no {field}")
