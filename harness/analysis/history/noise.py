"""The noise of a series that may have steps in it: outliers held in, spread, autocorrelation.

None of these may take a step for noise, nor noise for a step, and nobody knows yet where the steps
are. So all work on neighbours: a running median, and differences of one and two points.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float64]

OUTLIER_SIGMAS = 2.5
"""A point this many robust standard deviations from its neighbours is held at that distance."""
OUTLIER_SHARE = 0.07
"""At most this share of the points are outliers. What is more frequent is a second mode: part of
the noise, whose spread must stay in the standard deviation."""
TO_SIGMA = 1.4826
"""From the median absolute deviation to the standard deviation of a normal distribution."""
MOST_CORRELATED = 0.9
"""Above it, a series is a random walk to the eye, and no level of it is worth a name."""


def held_in(values: Floats, floor: float, shortest: int) -> Floats:
    """``values`` [n] with outliers held at a bound around the running median; steps stay.

    The median runs over 2 × ``shortest`` − 1 points: it keeps a level of ``shortest`` points, and
    forgets fewer in a row. ``floor`` is the least standard deviation assumed, in the values' unit,
    so that a series without noise has a bound above zero.
    """
    window = 2 * shortest - 1
    if len(values) < window:
        return values
    local = ndimage.median_filter(values, size=window, mode="nearest")
    # The ends take the last whole window's: of fewer points, two outliers are a majority.
    local[: shortest - 1] = local[shortest - 1]
    local[-(shortest - 1) :] = local[-shortest]
    away = values - local
    distance = np.abs(away)
    bound = max(
        OUTLIER_SIGMAS * max(TO_SIGMA * float(np.median(distance)), floor),
        float(np.quantile(distance, 1 - OUTLIER_SHARE)),
    )
    return np.asarray(local + np.clip(away, -bound, bound), dtype=np.float64)


def autocorrelation(values: Floats) -> float:
    """Lag-1 autocorrelation ρ of first-order autoregressive noise on ``values`` [n], 0 to 0.9.

    From the spread of differences, var(y[i+2] − y[i]) / var(y[i+1] − y[i]) − 1 = ρ, which a step
    touches in two points alone (Chakar, Lebarbier, Lévy-Leduc, Robin, "A robust approach for
    estimating change-points in the mean of an AR(1) process", Bernoulli 23, 2017). With few points
    the estimate is rough, so about half its standard error, 0.9/√n, is added: to take noise for
    independent is what raises false alarms. Below 10 points it can't be told, and is 0.
    """
    if len(values) < 10:
        return 0.0
    one, two = (_squared_scale(values[lag:] - values[:-lag]) for lag in (1, 2))
    if one == 0:
        return 0.0
    rough = 0.9 / np.sqrt(len(values))
    return float(np.clip(two / one - 1 + rough, 0.0, MOST_CORRELATED))


def _squared_scale(differences: Floats) -> float:
    """Their variance without the largest tenth, up to a constant factor that cancels."""
    squares = np.sort(differences**2)
    return float(squares[: max(1, int(0.9 * len(squares)))].mean())


def residual_limit(residuals: Floats, levels: int) -> float:
    """The most autocorrelation that ``residuals`` [n] around so many levels speak for, 0 to 0.9.

    Their lag-1 autocorrelation, its bias taken out (each level fitted costs (1 + 3ρ)/n: Marriott
    and Pope, Biometrika 41, 1954), and one standard error. With few points ``autocorrelation`` may
    be far too high by chance; this is surer, once levels are proposed.
    """
    n = len(residuals)
    squares = float((residuals**2).sum())
    if n < 10 or squares == 0:
        return MOST_CORRELATED
    lag = float((residuals[1:] * residuals[:-1]).sum()) / squares
    unbiased = lag + levels * (1 + 3 * max(lag, 0.0)) / n
    return float(np.clip(unbiased + 1 / np.sqrt(n), 0.0, MOST_CORRELATED))


def inflation(correlation: float) -> float:
    """By how much autocorrelation multiplies the variance of a mean: (1 + ρ) / (1 − ρ)."""
    return (1 + correlation) / (1 - correlation)
