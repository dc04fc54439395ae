"""When enough samples are in. Pure: it sees numbers only, so synthetic series test it.

Sources: nvbench's stopping criteria (``stdrel``: relative noise, or a noise that has stopped to
change) and pyperf; but what is watched here is the interval of the median, not the standard
deviation, which outliers own. The schedule and its coverage are measured in FIELD.md §1.7: looked
at after 10, 20, 40 … samples, the order-statistic interval keeps its stated coverage; looked at
after every few samples it would not (a sequential test inflates its error with every look:
Armitage, McPherson and Rowe, J. R. Stat. Soc. A 132, 1969).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.model import Timing, median, median_interval

INTERVAL = "interval"
"""The median's 95 % interval is narrow enough."""
PLATEAU = "plateau"
"""The interval has stopped to narrow: more samples of this series tell nothing more."""
BUDGET = "budget"
"""The time budget is spent."""
MAX_SAMPLES = "max_samples"
"""The most samples allowed are in."""

INTERVAL_SAMPLES = 6
"""The fewest samples whose median has a 95 % interval."""
GRACE = 5
"""Budgets that a series is given to get there."""
PLATEAU_SAMPLES = 160
"""With fewer, the interval's own width is too uncertain to tell a plateau."""
PLATEAU_SHARE = 0.8
"""A plateau: four times the samples, and the interval is at least this share as wide. Independent
samples halve it (1/√4)."""


@dataclass
class StopRule:
    """Decides after each sample whether to go on. One per series of samples."""

    timing: Timing
    samples_ms: list[float] = field(default_factory=list)
    """Every sample so far, ms, in order."""
    _timed_ms: float = 0.0
    _next_look: int = 0
    _reaches: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._next_look = self.timing.min_samples

    def add(self, sample_ms: float, elapsed_s: float, calls: int = 1) -> str | None:
        """Take one sample; ``elapsed_s`` is the loop's wall time so far. Why to stop, or None.

        The budget stops once the samples suffice for an interval; a kernel so slow that they
        don't is given GRACE budgets, and at least one sample.
        """
        self.samples_ms.append(sample_ms)
        self._timed_ms += sample_ms * calls
        count = len(self.samples_ms)
        if count >= self._next_look and self._timed_ms >= self.timing.min_time_s * 1e3:
            self._next_look = 2 * count
            reason = self._look()
            if reason is not None:
                return reason
        if count >= self.timing.max_samples:
            return MAX_SAMPLES
        enough = count >= INTERVAL_SAMPLES
        if elapsed_s >= self.timing.budget_s * (1 if enough else GRACE):
            return BUDGET
        return None

    def _look(self) -> str | None:
        """Look at the interval, after each doubling of the samples only."""
        interval = median_interval(self.samples_ms)
        if interval is None:
            return None
        middle = median(self.samples_ms)
        reach = max(interval[1] - middle, middle - interval[0]) / middle
        self._reaches.append(reach)
        if reach <= self.timing.relative_ci:
            return INTERVAL
        enough = len(self._reaches) >= 3 and len(self.samples_ms) >= PLATEAU_SAMPLES
        return PLATEAU if enough and reach >= PLATEAU_SHARE * self._reaches[-3] else None
