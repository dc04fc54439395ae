"""How the device was while samples were taken: clock, power, temperature, what slowed it down.

Read between samples, never inside one, and at most every READ_EVERY_S, so that reading is no rest
for the device. Pure but for the device that it asks: a device of plain numbers tests it.

Sources: nvbench PR#206 (throttled samples are known by the clock), flash-attention#441 and #2570
(figures that nobody could place without clocks); FIELD.md §1, "Clocks".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

READ_EVERY_S = 0.02
LOW_CLOCK_SHARE = 0.75
"""A clock below this share of the highest possible one is remarkable."""
THROTTLED = "throttled"
"""Flag: samples were taken while power, heat or the hardware held the clock down."""
LOW_CLOCK = "low_clock"
"""Flag: the median clock was below LOW_CLOCK_SHARE of the device's highest."""


@dataclass(frozen=True)
class Reading:
    """The device at one moment. None, or (): it can't be read here."""

    clock_mhz: float | None = None
    """Its compute clock, MHz."""
    power_w: float | None = None
    """Power drawn, W."""
    temperature_c: float | None = None
    """Of the chip, °C."""
    throttled_by: tuple[str, ...] | None = None
    """What slows it down under load; () is nothing."""


NOTHING = Reading()
"""Of a device that says nothing."""


class StateLog:
    """Readings beside one series of samples."""

    def __init__(self, read: Callable[[], Reading], max_clock_mhz: float | None) -> None:
        """``read`` asks the device; ``max_clock_mhz`` is the highest clock it can have."""
        self._read = read
        self._max_clock_mhz = max_clock_mhz
        self._readings: list[Reading] = []
        self._next_s = 0.0
        self._unread = 0
        self._throttled = 0

    def sampled(self, now_s: float) -> None:
        """A sample was taken; ``now_s`` is the time since sampling began."""
        self._unread += 1
        if now_s >= self._next_s:
            self._next_s = now_s + READ_EVERY_S
            self._look()

    def end(self) -> None:
        """The last sample was taken: it gets a reading too."""
        if self._unread and self._next_s < float("inf"):
            self._look()

    def _look(self) -> None:
        reading = self._read()
        if reading == NOTHING:
            self._next_s = float("inf")  # it won't say more later
            return
        self._readings.append(reading)
        # Samples since the last reading are held to this one: what slows a board lasts longer.
        if reading.throttled_by:
            self._throttled += self._unread
        self._unread = 0

    def conditions(self) -> dict[str, float | str]:
        """What goes into the record: figures that were read, and no others."""
        found: dict[str, float | str] = {}
        clocks = [r.clock_mhz for r in self._readings if r.clock_mhz is not None]
        if clocks:
            found |= {"clock_mhz": median(clocks), "clock_min_mhz": min(clocks)}
        if self._max_clock_mhz is not None:
            found["clock_limit_mhz"] = self._max_clock_mhz
        powers = [r.power_w for r in self._readings if r.power_w is not None]
        if powers:
            found["power_w"] = median(powers)
        heats = [r.temperature_c for r in self._readings if r.temperature_c is not None]
        if heats:
            found["temperature_c"] = max(heats)
        causes = [r.throttled_by for r in self._readings if r.throttled_by is not None]
        if causes:
            found["throttle_reasons"] = ", ".join(
                sorted({word for each in causes for word in each})
            )
            found["throttled_samples"] = float(self._throttled)
        return found

    def flags(self) -> tuple[str, ...]:
        """Remarks on the series."""
        clock = self.conditions().get("clock_mhz")
        low = (
            isinstance(clock, float)
            and self._max_clock_mhz is not None
            and clock < LOW_CLOCK_SHARE * self._max_clock_mhz
        )
        found = ((THROTTLED, self._throttled > 0), (LOW_CLOCK, low))
        return tuple(name for name, holds in found if holds)
