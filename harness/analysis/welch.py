"""Two sets of repeats of one figure: did it move, by how much, how surely.

Welch's t on logarithms (Welch, Biometrika 34, 1947), since times spread in proportion, and a least
effect, since with repeats enough everything is "significant" (FIELD.md §11). The repeats must be
independent: medians of launches, or of runs; samples of one launch are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Repeats = Sequence[float] | npt.NDArray[np.float64]

ALPHA = 0.05
"""How often equal things may be called different, by this test alone."""


@dataclass(frozen=True)
class Change:
    """What became of a figure."""

    ratio: float
    """Geometric mean after over that before."""
    low: float
    """Lower bound of the ratio's 95 % interval; equal to ``ratio`` where both sides repeat
    exactly."""
    high: float
    """Upper bound of it."""
    moved: bool
    """By ``least_effect`` or more, and not by chance."""
    still: bool
    """The whole interval lies within ``least_effect``: shown to be unchanged, not just not seen."""


def change(before: Repeats, after: Repeats, least_effect: float) -> Change:
    """Compare positive repeats, two or more a side; ``least_effect`` as a share (0.02: 2 %).

    A rise by the factor 1.02 and a fall by it are the same effect. Raises ValueError for fewer
    repeats, or for values that aren't positive and finite.
    """
    sides = [np.asarray(values, dtype=np.float64) for values in (before, after)]
    for values in sides:
        if len(values) < 2:
            raise ValueError(f"{len(values)} repeats on a side: a comparison needs two or more")
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise ValueError("repeats must be positive and finite")
    logs = [np.log(values) for values in sides]
    middle = float(logs[1].mean() - logs[0].mean())
    if all(np.ptp(values) == 0 for values in logs):
        low = high = middle
        by_chance = middle == 0
    else:
        from scipy import stats  # a second of imports, which few commands need

        test = stats.ttest_ind(logs[1], logs[0], equal_var=False)
        interval = test.confidence_interval(1 - ALPHA)
        low, high = float(interval.low), float(interval.high)
        by_chance = not test.pvalue < ALPHA
    least = math.log1p(least_effect)
    return Change(
        ratio=math.exp(middle),
        low=math.exp(low),
        high=math.exp(high),
        moved=not by_chance and abs(middle) >= least,
        still=-least < low and high < least,
    )
