"""The order-statistic confidence interval of a median: distribution-free, exact coverage.

Source: Conover, Practical Nonparametric Statistics §3.2; nvbench and pyperf report the median for
the same reason. The number of samples below the true median is Binomial(n, ½), so the k-th smallest
and k-th largest samples bracket it with probability 1 − 2·P(B < k).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=4096)
def _rank(n: int, confidence: float) -> int:
    """The largest k ≥ 0 such that [k-th smallest, k-th largest] covers with ``confidence``."""
    tail = (1 - confidence) / 2
    log_half_n = -n * math.log(2)
    cumulative, k = 0.0, 0
    while k < n // 2:
        log_pmf = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + log_half_n
        cumulative += math.exp(log_pmf)
        if cumulative > tail:
            break
        k += 1
    return k


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the middle two. Raises ValueError on an empty series."""
    ordered = sorted(values)
    n = len(ordered)
    if n == 0:
        raise ValueError("an empty series has no median")
    middle = n // 2
    return ordered[middle] if n % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def median_interval(
    values: Sequence[float], confidence: float = 0.95
) -> tuple[float, float] | None:
    """Bounds of the median in the values' unit, or None below the 6 samples that 95 % needs."""
    k = _rank(len(values), confidence)
    if k == 0:
        return None
    ordered = sorted(values)
    return ordered[k - 1], ordered[-k]
