"""Summary: the geometric mean of the ratios, with an interval from the rounds' spread.

Ratios are averaged on logarithms (Fleming and Wallace, CACM 29(3), 1986). The error isn't taken
from the spread over cells, which are different problems, nor from each cell as if independent:
what disturbs a round disturbs all its cells. Each round gives one mean, and those are compared by
Student's t with the pooled variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.analysis.compare.contrasts import contrasts, on_common_boards
from harness.analysis.compare.launches import Launches

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Mean:
    """A geometric mean of ratios."""

    ratio: float
    """Second side over first; NaN without a cell on both."""
    low: float
    """Lower bound of its 95 % interval; NaN with fewer than two rounds on a side."""
    high: float
    """Upper bound."""
    p: float
    """How likely no common move would give this one; NaN as ``low``."""
    cells: int
    """Cells that are in it."""


def geometric_mean(launches: Launches) -> Mean:
    """The mean over the cells that have launches on both sides; values must be positive."""
    found = contrasts(launches)
    there = np.isfinite(found.effect)
    if not there.any():
        return Mean(math.nan, math.nan, math.nan, math.nan, 0)
    middle = float(found.effect[there].mean())
    kept, _ = on_common_boards(launches.only(there[launches.cell]))
    width, freedom = _round_error(kept)
    half = width * float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2)) if freedom else math.nan
    p = math.nan
    if freedom:
        p = 2 * float(special.stdtr(freedom, -abs(middle) / width)) if width else float(middle == 0)
    bounds = math.exp(middle - half), math.exp(middle + half)
    return Mean(math.exp(middle), *bounds, p, int(there.sum()))


def _round_error(launches: Launches) -> tuple[float, int]:
    """Standard error of the mean difference, from the rounds' means; and degrees of freedom."""
    logs = np.log(launches.value)
    pair = launches.cell * 2 + launches.side
    own = np.bincount(pair, logs) / np.maximum(np.bincount(pair), 1)
    residual = logs - own[pair]
    squares, unit, freedom = 0.0, 0.0, 0
    for side in (0, 1):
        mine = launches.side == side
        names, rounds = np.unique(launches.round[mine], return_inverse=True)
        if len(names) < 2:
            return math.nan, 0
        means = np.bincount(rounds, residual[mine]) / np.bincount(rounds)
        squares += float(((means - means.mean()) ** 2).sum())
        unit += 1 / len(names)
        freedom += len(names) - 1
    return math.sqrt(squares / freedom * unit), freedom
