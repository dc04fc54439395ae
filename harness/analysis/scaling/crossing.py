"""The length from which one kernel is faster than another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from harness.analysis.scaling.exponent import points_of, start_of

LEAST_EFFECT = 0.02
"""Two times nearer than this are no lead."""
REACH = 8.0
"""A crossing is foretold up to this many times beyond the longest length."""
STEPS = 2000
"""Places of the foretold range that are looked at."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Crossing:
    """Where the first of two kernels is overtaken, or overtakes."""

    length: float
    """Tokens."""
    low: float
    """Lower end of its 95 % interval, tokens; NaN where the times have no interval."""
    high: float
    """Upper end of it; infinite where even the longest length that is looked at isn't enough."""
    first_wins_beyond: bool
    """The first kernel is the faster one from there on; else the second."""
    measured: bool
    """It lies between measured lengths; else it is where the fitted power laws meet beyond them."""


def crossing(
    lengths: Sequence[float], log_ratio: Sequence[float], half_width: Sequence[float]
) -> list[Crossing]:
    """Where log(first time / second time) changes sign between measured lengths, shortest first.

    ``lengths`` [n] rise; ``half_width`` [n] is that of each log ratio's 95 % interval, NaN where it
    isn't known. A side counts where the lead is 2 % or more and beyond its interval, so two kernels
    that are equal don't cross; between the last lead of one and the first of the other the ratio is
    taken to be straight in log length, and the interval is where its band holds zero.
    """
    x, d = np.log(np.asarray(lengths, float)), np.asarray(log_ratio, float)
    h = np.asarray(half_width, float)
    wide = np.maximum(np.nan_to_num(h), math.log1p(LEAST_EFFECT))
    sure = [i for i in range(len(x)) if abs(d[i]) >= wide[i]]
    out = []
    for i, j in pairwise(sure):
        if d[i] * d[j] < 0:
            out.append(_between(x[i : j + 1], d[i : j + 1], h[i : j + 1]))
    return out


def _between(x: Floats, d: Floats, h: Floats) -> Crossing:
    slope, level = np.polyfit(x, d, 1)
    rises = bool(d[-1] > d[0])
    if (slope > 0) == rises and slope != 0:
        place = float(np.clip(-level / slope, x[0], x[-1]))
    else:
        place = float((x[0] + x[-1]) / 2)
    # The band's near edge leaves zero here, its far edge reaches it there.
    sign = 1 if rises else -1
    first = _root(x[:2], (sign * d + h)[:2])
    last = _root(x[-2:], (sign * d - h)[-2:])
    low, high = min(first, place), max(last, place)
    if np.isnan(h).any():
        low = high = math.nan
    return Crossing(math.exp(place), math.exp(low), math.exp(high), not rises, True)


def _root(x: Floats, y: Floats) -> float:
    """Where the line through two points is zero, within them."""
    if y[0] == y[1]:
        return float(x[0])
    return float(np.clip(x[0] - y[0] * (x[1] - x[0]) / (y[1] - y[0]), x[0], x[1]))


def extrapolated(
    lengths: Sequence[float], first: Sequence[float], second: Sequence[float]
) -> Crossing | None:
    """Where the power laws of both, fitted as ``fitted_exponent`` does, meet beyond the longest
    length, up to 8 times that; None where they don't, or one has fewer than 3 lengths.

    ``first`` and ``second`` are times at ``lengths``. The interval is where the band of the fits'
    difference (95 %, Student's t) holds zero.
    """
    lines = [_Line.of(lengths, times) for times in (first, second)]
    if lines[0] is None or lines[1] is None:
        return None
    a, b = lines[0], lines[1]
    end = math.log(max(lengths))
    x = np.linspace(end, end + math.log(REACH), STEPS)
    d = a.at(x) - b.at(x)
    if d[0] * d[-1] >= 0:
        return None
    from scipy import special

    freedom = min(a.freedom, b.freedom)
    half = np.sqrt(a.variance(x) + b.variance(x)) * float(special.stdtrit(freedom, 0.975))
    place = int(np.argmax(np.sign(d) != np.sign(d[0])))
    within = np.abs(d) <= half
    near = np.flatnonzero(within)
    low = float(x[near[0]]) if len(near) else float(x[place])
    high = float(x[near[-1]]) if len(near) else float(x[place])
    return Crossing(
        math.exp(float(x[place])),
        math.exp(min(low, float(x[place]))),
        math.inf if within[-1] else math.exp(max(high, float(x[place]))),
        bool(d[-1] < 0),
        False,
    )


@dataclass(frozen=True)
class _Line:
    """A straight line through the long end of log time over log length."""

    middle: float
    level: float
    slope: float
    error: float
    """Residual variance."""
    spread: float
    """Sum of squares of the log lengths about their mean."""
    points: int

    @classmethod
    def of(cls, lengths: Sequence[float], times: Sequence[float]) -> _Line | None:
        x, y = points_of(lengths, times)
        if len(x) < 3:
            return None
        start = start_of(x, y)
        xs, ys = np.array(x[start:]), np.array(y[start:])
        slope, level = np.polyfit(xs - xs.mean(), ys, 1)
        rest = ys - level - slope * (xs - xs.mean())
        error = float((rest**2).sum()) / (len(xs) - 2)
        spread = float(((xs - xs.mean()) ** 2).sum())
        return cls(float(xs.mean()), float(level), float(slope), error, spread, len(xs))

    @property
    def freedom(self) -> int:
        return self.points - 2

    def at(self, x: Floats) -> Floats:
        return self.level + self.slope * (x - self.middle)

    def variance(self, x: Floats) -> Floats:
        return self.error * (1 / self.points + (x - self.middle) ** 2 / self.spread)
