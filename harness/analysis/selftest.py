"""A/A check: a kernel measured twice under two names, so that every difference is a mistake.

What users of such tools ask for first (nvbench#316, tritonbench#173): how often does it call equal
things different on this machine, and how small an effect could it see? The rule is that of
comparisons (FIELD.md §11): Welch's t on the logarithms of the launch medians, and an effect of at
least what the metric calls relevant. The effect that would be seen follows from the spread of the
launch medians by the power of that t test (Cohen, Statistical Power Analysis, §2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.analysis.metrics import METRICS
from harness.analysis.welch import ALPHA, change
from harness.model import Record, Status, median, median_interval

AGAIN = "__again"
"""What the second name of a kernel ends in."""
POWER = 0.8
LEAST_EFFECT = METRICS["latency_ms"].least_effect
NOISY = 0.05
"""A machine on which a change of this size would escape is too noisy to judge kernels by."""
MANY_LAUNCHES = 50


@dataclass(frozen=True)
class Twins:
    """One cell, measured twice; times are the medians of the launches, ms."""

    kernel: str
    problem: str
    device: str
    once_ms: tuple[float, ...]
    again_ms: tuple[float, ...]
    within: float
    """Half the interquartile range of the samples over their median; the median launch's."""
    alone: int
    """In how many launches the two names' own 95 % intervals lie apart by a relevant effect."""

    @cached_property
    def difference(self) -> float:
        """How much slower the second name came out, as a share."""
        return median(self.again_ms) / median(self.once_ms) - 1

    @cached_property
    def variance(self) -> float:
        """Pooled variance of the logarithms of the launch medians, of both names."""
        return float(np.mean([np.var(np.log(x), ddof=1) for x in (self.once_ms, self.again_ms)]))

    @cached_property
    def called_different(self) -> bool:
        """Whether a comparison would report a difference between a kernel and itself."""
        return change(self.once_ms, self.again_ms, LEAST_EFFECT).moved


@dataclass(frozen=True)
class Selftest:
    """What an A/A check found."""

    twins: tuple[Twins, ...]
    launches: int
    problems: tuple[str, ...] = ()
    """Statuses and reasons of jobs that gave no number."""

    @property
    def called_different(self) -> int:
        """Cells whose two names would be reported as different."""
        return sum(twin.called_different for twin in self.twins)

    @property
    def alone(self) -> tuple[int, int]:
        """How many of how many single launches would have misled by themselves."""
        return sum(twin.alone for twin in self.twins), len(self.twins) * self.launches

    @property
    def within(self) -> float:
        """Typical spread of the samples inside a launch, as a share."""
        return median([twin.within for twin in self.twins])

    @property
    def between(self) -> float:
        """Standard deviation of launch medians, pooled over the cells, as a share."""
        return math.sqrt(float(np.mean([twin.variance for twin in self.twins])))

    def detectable(self, launches: int) -> float:
        """The smallest change found with probability POWER at so many launches a side, a share."""
        from scipy import stats

        free = 2 * launches - 2
        reach = stats.t.ppf(1 - ALPHA / 2, free) + stats.t.ppf(POWER, free)
        return max(LEAST_EFFECT, math.expm1(reach * self.between * math.sqrt(2 / launches)))

    def launches_for(self, effect: float) -> int | None:
        """How many launches a side it takes to see ``effect``; None above MANY_LAUNCHES."""
        for count in range(2, MANY_LAUNCHES + 1):
            if self.detectable(count) <= effect:
                return count
        return None

    @property
    def too_noisy(self) -> bool:
        """Whether differences that matter would escape here."""
        return self.detectable(self.launches) > NOISY

    @property
    def misleads(self) -> bool:
        """Whether more pairs were called different than the rule's own error rate explains."""
        from scipy import stats

        found = self.called_different
        return found > 0 and bool(stats.binom.sf(found - 1, len(self.twins), ALPHA) < ALPHA)


def assess(records: Sequence[Record]) -> Selftest:
    """Pair the records of ``x`` and of ``x`` + AGAIN on one problem, device and launch."""
    cells: dict[tuple[str, str, str, str], dict[str, dict[int, Record]]] = {}
    problems = []
    for record in records:
        base = record.kernel.name.removesuffix(AGAIN)
        name = "again" if record.kernel.name.endswith(AGAIN) else "once"
        if record.status is not Status.OK or record.device is None:
            reason = f"{base} {record.problem.summary()}: {record.status}: {record.reason}"
            problems.append(reason)
            continue
        key = (base, record.problem.key, record.timing.mode, record.device.uuid)
        cells.setdefault(key, {"once": {}, "again": {}})[name][record.launch] = record
    twins = []
    for (base, *_), names in sorted(cells.items()):
        shared = sorted(names["once"].keys() & names["again"].keys())
        if len(shared) >= 2:
            pairs = [(names["once"][launch], names["again"][launch]) for launch in shared]
            twins.append(_twins(base, pairs))
    launches = min((len(twin.once_ms) for twin in twins), default=0)
    return Selftest(tuple(twins), launches, tuple(dict.fromkeys(problems)))


def _twins(kernel: str, pairs: Sequence[tuple[Record, Record]]) -> Twins:
    first = pairs[0][0]
    assert first.device is not None
    return Twins(
        kernel=kernel,
        problem=first.problem.summary(),
        device=first.device.model,
        once_ms=tuple(median(once.samples_ms) for once, _ in pairs),
        again_ms=tuple(median(again.samples_ms) for _, again in pairs),
        within=median([_spread(record.samples_ms) for pair in pairs for record in pair]),
        alone=sum(_apart(once.samples_ms, again.samples_ms) for once, again in pairs),
    )


def _spread(samples: Sequence[float]) -> float:
    low, middle, high = np.percentile(samples, [25, 50, 75])
    return float((high - low) / 2 / middle)


def _apart(once: Sequence[float], again: Sequence[float]) -> bool:
    """Whether one launch alone would show a difference: intervals apart, and a relevant effect."""
    a, b = median_interval(once), median_interval(again)
    if a is None or b is None:
        return False
    low, high = sorted((median(once), median(again)))
    return (a[1] < b[0] or b[1] < a[0]) and high / low - 1 >= LEAST_EFFECT
