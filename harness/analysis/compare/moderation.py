"""Moderation: what all cells of a sweep say about the spread of each.

A cell has 2 to 10 launches a side, too few to know its own spread; a sweep has hundreds of cells.
Empirical Bayes (Smyth, "Linear models and empirical Bayes methods for assessing differential
expression in microarray experiments", SAGMB 3(1), 2004, §6; limma's ``fitFDist``): the variances
of the cells are draws of s₀² d₀ / χ²(d₀), whose two constants are fitted to all of them, and each
cell's variance becomes the mean of its own and s₀², weighted by their degrees of freedom. Measured:
1,000 cells with 1 % spread, 3 % planted on 1 % of them, 5 launches: 8 % found without, 86 % with
(tests/bench/comparisons.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.analysis.compare.launches import Floats

LEAST_VARIANCE = 1e-5
"""Variances below this share of the median one count as that much: a timer's grain, not silence."""
FEW_SHARE = 0.25
"""The prior counts for at most this share of the *other* cells' degrees of freedom. With 2 to 10
cells of different spread they may look alike by chance, and an unbounded prior then calls up to
12 % of equal pairs different at a nominal 5 %; bounded, at
most 8 % (simulated: 1,000 draws each of 2, 3, 6 and 10 cells with 3 launches)."""


@dataclass(frozen=True)
class Prior:
    """What the spread of a cell is before it is measured."""

    freedom: float
    """d₀: how many degrees of freedom the other cells are worth; 0: none."""
    variance: float
    """s₀²: the typical variance of a launch's logarithm; NaN where nothing is known."""

    def moderate(self, variance: Floats, freedom: Floats) -> tuple[Floats, Floats]:
        """Posterior variances [G] and their degrees of freedom [G].

        A cell without degrees of freedom of its own gets the prior's; NaN where that has none.
        """
        own = np.where(freedom > 0, variance, 0.0)
        total = freedom + self.freedom
        prior = self.freedom * self.variance if self.freedom else 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total > 0, (freedom * own + prior) / total, np.nan), total


NOTHING = Prior(0.0, math.nan)


def estimate_prior(variance: Floats, freedom: Floats) -> Prior:
    """The prior of some cells' variances [G] with their degrees of freedom [G].

    Cells without degrees of freedom or with NaN say nothing. Where most variances are zero the
    figure repeats exactly (bytes, errors of seeded inputs), and there is no spread to share.
    """
    known = (freedom > 0) & np.isfinite(variance)
    v, d = variance[known], freedom[known]
    if len(v) < 2 or np.median(v) <= 0:
        return NOTHING
    v = np.maximum(v, LEAST_VARIANCE * np.median(v))
    # log s² is Fisher's z but for a factor: mean and variance of its distribution are known.
    centred = np.log(v) - special.digamma(d / 2) + np.log(d / 2)
    middle = float(centred.mean())
    excess = float(centred.var(ddof=1) - special.polygamma(1, d / 2).mean())
    most = float(FEW_SHARE * (d.sum() - d.mean()))
    if excess <= 0:
        return Prior(most, float(np.average(v, weights=d)))
    fitted = 2 * inverse_trigamma(excess)
    level = middle + float(special.digamma(fitted / 2)) - math.log(fitted / 2)
    return Prior(min(fitted, most), math.exp(level))


def inverse_trigamma(y: float) -> float:
    """x with trigamma(x) = ``y`` > 0, by Newton's method on 1/trigamma (Smyth 2004, appendix)."""
    if y > 1e7:
        return 1 / math.sqrt(y)
    if y < 1e-6:
        return 1 / y
    x = 0.5 + 1 / y
    for _ in range(50):
        value = float(special.polygamma(1, x))
        step = value * (1 - value / y) / float(special.polygamma(2, x))
        x += step
        if -step < 1e-10 * x:
            break
    return x
