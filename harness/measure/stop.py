"""When enough samples are in. Pure: it sees numbers only, so synthetic series test it.

Source: nvbench's stopping criteria; the schedule and its coverage are measured in FIELD.md §1.7:
looked at after 10, 20, 40 … samples, the order-statistic interval keeps its stated coverage;
looked at after every few samples it would not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.model import Timing, median, median_interval

INTERVAL = "interval"
"""The median's 95 % interval is narrow enough."""
BUDGET = "budget"
"""The time budget is spent."""
MAX_SAMPLES = "max_samples"
"""The most samples allowed are in."""

INTERVAL_SAMPLES = 6
"""The fewest samples whose median has a 95 % interval."""
GRACE = 5
"""Budgets that a series is given to get there."""


@dataclass
class StopRule:
    """Decides after each sample whether to go on. One per series of samples."""

    timing: Timing
    samples_ms: list[float] = field(default_factory=list)
    """Every sample so far, ms, in order."""
    _timed_ms: float = 0.0
    _next_look: int = 0

    def __post_init__(self) -> None:
        self._next_look = self.timing.min_samples

    def add(self, sample_ms: float, elapsed_s: float, calls: int = 1) -> str | None:
        """Take one sample; ``elapsed_s`` is the loop's wall time so far. Why to stop, or None.

        The budget stops once the samples suffice for an interval; a kernel so slow that they
        don't is given GRACE budgets, and at least one sample.
        """
        self.samples_ms.append(sample_ms)
        self._timed_ms += sample_ms * calls
        if len(self.samples_ms) >= self._next_look and self._timed_ms >= self._min_time_ms:
            self._next_look = 2 * len(self.samples_ms)
            if self._narrow_enough():
                return INTERVAL
        if len(self.samples_ms) >= self.timing.max_samples:
            return MAX_SAMPLES
        enough = len(self.samples_ms) >= INTERVAL_SAMPLES
        if elapsed_s >= self.timing.budget_s * (1 if enough else GRACE):
            return BUDGET
        return None

    @property
    def _min_time_ms(self) -> float:
        return self.timing.min_time_s * 1e3

    def _narrow_enough(self) -> bool:
        interval = median_interval(self.samples_ms)
        if interval is None:
            return False
        middle = median(self.samples_ms)
        reach = max(interval[1] - middle, middle - interval[0])
        return reach <= self.timing.relative_ci * middle
