"""Change points of a series: where its level moved, which way, by how much, how surely.

Penalised least squares on logarithms (PELT: Killick, Fearnhead, Eckley, JASA 107, 2012, by
ruptures) proposes change points; each is then tested against the series' own noise, and what
doesn't stand is taken back, the least sure first. Outliers are held in beforehand, autocorrelation
widens penalty and test alike, and a move smaller than ``min_effect`` is none.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.analysis.history.noise import (
    Floats,
    autocorrelation,
    held_in,
    inflation,
    residual_limit,
)
from harness.analysis.history.offsets import offsets

ALPHA = 0.001
"""Chance of a false change point that a test may take, all places of the series together."""
PENALTY = 1.5
"""Penalty of a change point, × 2 log n × variance: above BIC's 1, since the test comes after."""
FEW = 12
"""Below this many points, two modes in turn look like two levels (8 points of bimodal noise fall
apart by chance in 1 series of 20), so a move counts only from FEW_FACTOR × ``min_effect`` on."""
FEW_FACTOR = 5.0
_SHORTEST = ((10, 2), (30, 3), (100, 4), (3000, 5))
FLOOR = 0.05
"""Least standard deviation assumed, as a share of ``min_effect``: figures that repeat exactly
(bytes, errors of seeded inputs) have none of their own."""


@dataclass(frozen=True)
class ChangePoint:
    """One move of a series' level."""

    index: int
    """Position in the values given of the first point at the new level."""
    direction: int
    """+1: the values rose; −1: they fell. Which of them is better is the metric's to say."""
    ratio: float
    """New level over the one before; NaN where that was zero or the signs differ."""
    low: float
    """Lower bound of the ratio's 95 % interval (Student's t)."""
    high: float
    """Upper bound of it."""
    p: float
    """How likely noise alone moves so much at some place of a series this long."""
    before: float
    """Level before, in the values' unit, without outliers and group offsets."""
    after: float
    """Level from ``index`` to the next change point or the end."""


def detect_changes(
    values: Sequence[float] | Floats,
    *,
    min_effect: float = 0.02,
    groups: Sequence[Hashable] | None = None,
    alpha: float = ALPHA,
) -> list[ChangePoint]:
    """The change points of ``values`` [n], in order; [] where nothing moved, or n < 4.

    ``values`` are in the order of measurement, at any spacing, in any unit; positive ones are
    compared as ratios. NaN and infinities count as missing. ``min_effect`` is the least relative
    change that matters (0.02: 2 %). ``groups`` [n] names what each value was measured on (the
    board): each group has a level of its own, and only moves common to them count. ``alpha`` is the
    chance of a false change point in a series without one.

    The shortest level is 4 points of 30 to 99, 3 from 10 points on, 2 below, 5 and 6 from 100 and
    3000 on. Below 12 points only a move of 5 × ``min_effect`` counts: less can't be told from two
    modes. The same input gives the same output, always.

    Where a value isn't positive the scale is linear, and ``min_effect`` is a share of the median of
    what isn't zero.

    Raises:
        ValueError: ``groups`` differ in length from ``values``, the values aren't one-dimensional,
            or ``min_effect`` or ``alpha`` isn't between 0 and 1.
    """
    given = np.asarray(values, dtype=np.float64)
    _check(given, groups, min_effect, alpha)
    there = np.flatnonzero(np.isfinite(given))
    scale = _Scale.of(given[there])
    y = scale.forward(given[there])
    least = min_effect * (FEW_FACTOR if len(y) < FEW else 1)
    effect = math.log1p(least) if scale.logarithmic else least
    if groups is not None:
        y = y - offsets(y, [groups[int(i)] for i in there])
    if len(y) < 2 * _shortest(len(y)):
        return []
    series = _Series(held_in(y, FLOOR * effect, _shortest(len(y))), FLOOR * effect)
    bounds = series.propose()
    moves = series.settle(bounds, effect, alpha)
    return [_change(move, there, scale) for move in moves]


def _check(
    values: Floats, groups: Sequence[Hashable] | None, min_effect: float, alpha: float
) -> None:
    if values.ndim != 1:
        raise ValueError(f"values must be one-dimensional, not of shape {values.shape}")
    if groups is not None and len(groups) != len(values):
        raise ValueError(f"{len(groups)} groups for {len(values)} values: one each is needed")
    for name, number in (("min_effect", min_effect), ("alpha", alpha)):
        if not 0 < number < 1:
            raise ValueError(f"{name}={number} isn't between 0 and 1 (0.02 is 2 %)")


def _shortest(n: int) -> int:
    """Points that a level must have: in a longer series more outliers come in a row by chance."""
    return next((points for below, points in _SHORTEST if n < below), 6)


@dataclass(frozen=True)
class _Scale:
    """Logarithms where all is positive; else the values in units of their typical size."""

    logarithmic: bool
    unit: float

    @classmethod
    def of(cls, values: Floats) -> _Scale:
        if (values > 0).all():
            return cls(True, 1.0)
        sizes = np.abs(values[values != 0])
        return cls(False, float(np.median(sizes)) if len(sizes) else 1.0)

    def forward(self, values: Floats) -> Floats:
        return np.log(values) if self.logarithmic else values / self.unit

    def level(self, y: float) -> float:
        return math.exp(y) if self.logarithmic else y * self.unit


@dataclass(frozen=True)
class _Move:
    """A boundary between two levels, on the scale of the test."""

    at: int
    before: float
    after: float
    half: float
    """Half of the difference's 95 % interval."""
    p: float


class _Series:
    """The values on the scale of the test, with their noise."""

    def __init__(self, y: Floats, floor: float) -> None:
        self.y = y
        self.floor = floor
        self.inflation = inflation(autocorrelation(y))
        self.sums = np.concatenate([[0.0], np.cumsum(y - y[0])])
        self.squares = np.concatenate([[0.0], np.cumsum((y - y[0]) ** 2)])

    def propose(self) -> list[int]:
        """Boundaries by penalised least squares, with 0 and n at the ends."""
        # ruptures.KernelCPD with the linear kernel is PELT on the mean, in C. It is imported by
        # name of the module: `import ruptures` warns about an optional plotting library.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from ruptures.detection.kernelcpd import KernelCPD

        n = len(self.y)
        steps = np.diff(self.y)
        # The variance of differences knows no levels: 2 (1 − ρ) σ² for first-order noise. Its
        # inflation to that of means is (1 + ρ) / (1 − ρ); a rough, low ρ costs proposals, no more.
        variance = max(float(np.median(steps**2)) / 0.455 / 2, self.floor**2)
        penalty = PENALTY * 2 * math.log(n) * self.inflation
        scaled = ((self.y - self.y.mean()) / math.sqrt(variance)).reshape(-1, 1)
        found = KernelCPD(kernel="linear", min_size=_shortest(n)).fit(scaled).predict(pen=penalty)
        return [0, *found]

    def settle(self, bounds: list[int], effect: float, alpha: float) -> list[_Move]:
        """The boundaries that stand, once those that don't are taken back one by one."""
        while len(bounds) > 2:
            moves = self.moves(bounds)
            worst = max(moves, key=lambda m: (abs(m.after - m.before) < effect, m.p, -m.at))
            if worst.p <= alpha and abs(worst.after - worst.before) >= effect:
                return moves
            bounds = [b for b in bounds if b != worst.at]
            bounds = self.relocate(bounds)
        return []

    def relocate(self, bounds: list[int]) -> list[int]:
        """Each boundary at its best place between its neighbours, by least squares."""
        shortest = _shortest(len(self.y))
        out = list(bounds)
        for k in range(1, len(out) - 1):
            start, end = out[k - 1], out[k + 1]
            places = np.arange(start + shortest, end - shortest + 1)
            left = (self.sums[places] - self.sums[start]) ** 2 / (places - start)
            right = (self.sums[end] - self.sums[places]) ** 2 / (end - places)
            out[k] = int(places[np.argmax(left + right)])
        return out

    def moves(self, bounds: list[int]) -> list[_Move]:
        """Each inner boundary's test: Student's t with the variance within all levels."""
        n, edges = len(self.y), np.array(bounds)
        sizes = np.diff(edges)
        means = np.diff(self.sums[edges]) / sizes
        within = float((np.diff(self.squares[edges]) - sizes * means**2).sum())
        residuals = self.y - self.y[0] - np.repeat(means, sizes)
        inflated = min(self.inflation, inflation(residual_limit(residuals, len(sizes))))
        freedom = max(1.0, (n - len(sizes)) / math.sqrt(inflated))
        variance = max(within / max(1, n - len(sizes)), self.floor**2) * inflated
        spread = np.sqrt(variance * (1 / sizes[:-1] + 1 / sizes[1:]))
        # Bonferroni over the places a boundary can take: the best of them was chosen.
        tail = 2 * special.stdtr(freedom, -np.abs(np.diff(means)) / spread)
        p = np.minimum(1.0, tail * (n - 1))
        half = spread * float(special.stdtrit(freedom, 0.975))
        levels = means + self.y[0]
        return [
            _Move(
                bounds[k + 1], float(levels[k]), float(levels[k + 1]), float(half[k]), float(p[k])
            )
            for k in range(len(p))
        ]


def _change(move: _Move, there: np.ndarray, scale: _Scale) -> ChangePoint:
    difference = move.after - move.before
    before, after = scale.level(move.before), scale.level(move.after)
    if scale.logarithmic:
        ratio, low, high = (
            math.exp(d) for d in (difference, difference - move.half, difference + move.half)
        )
    elif before * after > 0:
        low, high = sorted((after + side * move.half * scale.unit) / before for side in (-1, 1))
        ratio = after / before
    else:
        ratio = low = high = math.nan
    direction = 1 if difference > 0 else -1
    return ChangePoint(int(there[move.at]), direction, ratio, low, high, move.p, before, after)
