"""How time grows with length: the exponent of a power law, fitted where the law holds.

Short lengths are bound by overhead (a launch costs the same whatever it computes) and flatten the
slope, so they are left out by a simple rule: from the longest length back, points are kept while
the slope from one to the next stays above half the slope at the long end; at least three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.model import median

FLAT = 0.5
"""A step whose slope is below this share of the last step's belongs to the overhead-bound start."""

LEAST = 3
"""Points that a fit needs."""


@dataclass(frozen=True)
class Exponent:
    """The exponent p of time ∝ length^p: 2 is quadratic, 1 is linear."""

    value: float
    """Least-squares slope of log time over log length."""
    low: float
    """Lower bound of its 95 % interval (Student's t, points − 2 degrees of freedom)."""
    high: float
    """Upper bound of it."""
    points: int
    """Lengths that were fitted, counted from the longest."""


def fitted_exponent(lengths: Sequence[float], latencies: Sequence[float]) -> Exponent | None:
    """The exponent of ``latencies`` (any unit) over ``lengths`` (tokens), in any order.

    Several latencies of one length count as their median; what isn't positive and finite is left
    out. None with fewer than 3 lengths.

    Raises:
        ValueError: the two differ in length.
    """
    x, y = points_of(lengths, latencies)
    if len(x) < LEAST:
        return None
    start = start_of(x, y)
    return _fit(x[start:], y[start:])


def points_of(
    lengths: Sequence[float], latencies: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Logarithms of the distinct lengths, rising, and of the median latency of each, without what
    isn't positive and finite. Raises ValueError where the two differ in length.
    """
    by_length: dict[float, list[float]] = {}
    for length, latency in zip(lengths, latencies, strict=True):
        if all(v is not None and math.isfinite(v) and v > 0 for v in (length, latency)):
            by_length.setdefault(float(length), []).append(float(latency))
    x = [math.log(length) for length in sorted(by_length)]
    return x, [math.log(median(by_length[length])) for length in sorted(by_length)]


def start_of(x: Sequence[float], y: Sequence[float]) -> int:
    """Index of the first point that is fitted, of three or more."""
    slopes = [(y[i + 1] - y[i]) / (x[i + 1] - x[i]) for i in range(len(x) - 1)]
    start = len(x) - LEAST
    while start > 0 and slopes[start - 1] > FLAT * slopes[-1]:
        start -= 1
    return start


def _fit(x: Sequence[float], y: Sequence[float]) -> Exponent:
    from scipy import stats

    line = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, len(x) - 2) * line.stderr)
    slope = float(line.slope)
    return Exponent(slope, slope - half, slope + half, len(x))
