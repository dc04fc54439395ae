"""What the order and the shape of a series say against its median: remarks, never repairs.

The order-statistic interval assumes samples of one distribution. A series that drifts, or that
jumps between two speeds, has a median, but no interval means anything for it: it is flagged, its
samples are kept. Pure: synthetic series test it.

Sources: drift by Spearman's rank correlation with time (Kendall and Gibbons, Rank Correlation
Methods); modes by the best split in two (Otsu, IEEE Trans. SMC 9, 1979, exact in one dimension) and
the distance of the halves in their own spread, as in Ashman, Bird and Zepf, AJ 108, 1994. The
thresholds are set by simulation, which tests/measure/test_shape.py repeats.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BIMODAL = "bimodal"
"""Two speeds, each of a tenth of the samples at least."""
DRIFTING = "drifting"
"""The last third is slower or faster than the first by more than the interval asked for."""
OUTLIERS = "outliers"
"""More than a twentieth of the samples lie three interquartile ranges above the third quartile."""

MIN_SAMPLES = 10
"""With fewer, order and shape say nothing."""
MODES_MIN_SAMPLES = 20
DRIFT_Z = 3.3  # two-sided p = 0.001
TRIM = 0.05  # of each end, before modes are looked for, so that outliers aren't one
LEAST_MODE = 0.1
OUTLIER_SHARE = 0.05


def remarks(samples_ms: Sequence[float], relative_ci: float) -> tuple[str, ...]:
    """Flags of a series; ``relative_ci`` is the effect, as a share, below which nothing matters."""
    if len(samples_ms) < MIN_SAMPLES:
        return ()
    values = np.asarray(samples_ms, dtype=np.float64)
    least = relative_ci * float(np.median(values))
    found = (
        (DRIFTING, drifts(values, least)),
        (BIMODAL, has_two_modes(values, least)),
        (OUTLIERS, _has_outliers(values)),
    )
    return tuple(name for name, holds in found if holds)


def drifts(values: NDArray[np.float64], least: float) -> bool:
    """Whether time explains the values, and by more than ``least`` between first and last third."""
    n = len(values)
    third = max(1, n // 3)
    moved = abs(float(np.median(values[-third:]) - np.median(values[:third])))
    if moved <= least:
        return False
    # Under no drift, rank correlation with time × √(n − 1) is about standard normal.
    return bool(abs(_rank_correlation(values)) * np.sqrt(n - 1) > DRIFT_Z)


def _rank_correlation(values: NDArray[np.float64]) -> float:
    """Spearman's coefficient of the values with their order, −1 to 1; ties get their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    if ranks.min() == ranks.max():
        return 0.0
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])


def has_two_modes(values: NDArray[np.float64], least: float) -> bool:
    """Whether the values fall into two groups further apart than ``least`` and than their spread.

    The best split of one normal distribution lies 3.0 spreads apart, of a uniform one 3.5, with
    wider scatter the fewer the samples; 4 + 80/n is above 98 % of both, and of an exponential tail.
    """
    if len(values) < MODES_MIN_SAMPLES:
        return False
    ordered = np.sort(values)
    cut = int(len(ordered) * TRIM)
    ordered = ordered[cut : len(ordered) - cut]
    n = len(ordered)
    centred = ordered - ordered.mean()  # sums of squares would cancel away small spreads
    sums, squares = np.cumsum(centred), np.cumsum(centred**2)
    left = np.arange(1, n)
    right = n - left
    low, high = sums[:-1] / left, (sums[-1] - sums[:-1]) / right
    low_var = np.maximum(squares[:-1] / left - low**2, 0)
    high_var = np.maximum((squares[-1] - squares[:-1]) / right - high**2, 0)
    fewest = max(2, int(np.ceil(LEAST_MODE * n)))
    within = np.where(
        (left >= fewest) & (right >= fewest), left * low_var + right * high_var, np.inf
    )
    best = int(np.argmin(within))
    apart = float(high[best] - low[best])
    spread = float(np.sqrt((low_var[best] + high_var[best]) / 2))
    return apart > least and apart > (4 + 80 / len(values)) * spread


def _has_outliers(values: NDArray[np.float64]) -> bool:
    """Tukey's "far out" (Exploratory Data Analysis, §2D), on the slow side."""
    first, third = np.quantile(values, [0.25, 0.75])
    return bool(np.mean(values > third + 3 * (third - first)) > OUTLIER_SHARE)
