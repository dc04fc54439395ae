"""Warm-up: until the clock is stable, not for a number of calls.

A GPU raises its clock within some 100 ms of load and lowers it again when power or heat say so; a
fixed number of calls ends anywhere in between (FIELD.md §1.4; nvbench PR#206 watches the clock for
the same reason). A device whose clock can't be read is warmed up for the least time alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

from harness.measure.clock import Stopwatch
from harness.measure.device import Call, MeasuredDevice

STABLE_SHARE = 0.02
"""The clock is stable within this share …"""
STABLE_S = 0.05
"""… over this long."""
LOOK_EVERY_S = 0.01
FEW_CALLS = 5
"""As many are made, if that doesn't take longer than FEW_S, so that one slow call sizes nothing."""
FEW_S = 0.5
NEWEST_CALLS = 15
"""The newest ones, whose median is what a warm call takes."""
EXTRA_S = 3.0
"""Beyond the least time: a clock that isn't stable by then won't be, and the record says so."""


@dataclass
class SteadyClock:
    """Readings of a clock, and whether the newest ones agree."""

    _readings: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, at_s: float, mhz: float) -> bool:
        """Take a reading; whether those of the last STABLE_S, which must be spanned, agree."""
        self._readings.append((at_s, mhz))
        while len(self._readings) > 1 and self._readings[1][0] <= at_s - STABLE_S:
            self._readings.popleft()
        clocks = [clock for _, clock in self._readings]
        spanned = at_s - self._readings[0][0] >= STABLE_S
        return spanned and max(clocks) - min(clocks) <= STABLE_SHARE * max(clocks)


@dataclass(frozen=True)
class WarmUp:
    """How a warm-up went."""

    warm_ms: float
    """Median time of its newest calls, ms: batches are sized by it."""
    calls: int
    """Calls made."""
    stable: bool
    """Whether the clock was stable at its end; True where it can't be read."""


def warm_up(call: Call, device: MeasuredDevice, least_s: float) -> WarmUp:
    """Call for at least ``least_s``, and on until the clock is stable or EXTRA_S are over."""
    watch, steady = Stopwatch(), SteadyClock()
    calls, newest, looked_s = 0, deque[float](maxlen=NEWEST_CALLS), float("-inf")
    readable, stable = True, False
    while True:
        newest.append(device.time_one(call))
        calls += 1
        now = watch.s()
        if readable and now - looked_s >= LOOK_EVERY_S:
            mhz = device.clock_mhz()
            readable = mhz is not None
            stable = mhz is None or steady.add(now, mhz)
            looked_s = now
        enough = now >= least_s and (calls >= FEW_CALLS or now >= least_s + FEW_S)
        if enough and (stable or now >= least_s + EXTRA_S):
            return WarmUp(median(newest), calls, stable)
