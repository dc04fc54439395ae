"""Clocks, taken when this file is imported: before any kernel could replace them."""

from __future__ import annotations

from time import monotonic as monotonic_s
from time import perf_counter_ns as host_ns
from time import process_time_ns as work_ns

__all__ = ["Stopwatch", "host_ns", "monotonic_s", "work_ns"]


class Stopwatch:
    """Wall-clock time since it was made, in the unit that the method names."""

    def __init__(self) -> None:
        self._start = host_ns()

    def ms(self) -> float:
        """Milliseconds since it was made."""
        return (host_ns() - self._start) / 1e6

    def s(self) -> float:
        """Seconds since it was made."""
        return (host_ns() - self._start) / 1e9
