"""Series with known truth: the noises of FIELD.md §11, with a step or without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Noise = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]


def normal(sigma: float) -> Noise:
    return lambda random, n: random.normal(0, sigma, n)


def lognormal_with_outliers(random: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
    """1.5 %, and 3 % of the points 10 to 50 % slower."""
    slow = (random.random(n) < 0.03) * random.uniform(0.1, 0.5, n)
    return random.normal(0, 0.015, n) + slow


def autoregressive(random: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
    """AR(0.6) with a marginal spread of 1.5 %."""
    innovations = random.normal(0, 0.015 * np.sqrt(1 - 0.6**2), n)
    out = np.empty(n)
    out[0] = random.normal(0, 0.015)
    for i in range(1, n):
        out[i] = 0.6 * out[i - 1] + innovations[i]
    return out


def bimodal(random: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
    """Three points in ten 4 % slower, 0.5 % around each mode."""
    return random.normal(0, 0.005, n) + 0.04 * (random.random(n) < 0.3)


NOISES: dict[str, Noise] = {
    "normal 1 %": normal(0.01),
    "normal 2 %": normal(0.02),
    "log-normal, outliers": lognormal_with_outliers,
    "AR(0.6)": autoregressive,
    "bimodal": bimodal,
}


def series(
    noise: Noise, seed: int, n: int = 200, step: float = 0.0, at: int | None = None
) -> npt.NDArray[np.float64]:
    """``n`` latencies around 1 ms; from ``at`` (default: the middle) on ``1 + step`` times."""
    random = np.random.default_rng(seed)
    logs = noise(random, n)
    logs[n // 2 if at is None else at :] += np.log1p(step)
    return np.exp(logs)
