"""Metrics: what a record's figures say, computed when asked, so that a new one covers all history.

    METRICS["tflops"].formula(frame)      # a column of the frame of `results` or `cells`

FLOPs and least bytes are the *problem's* (FIELD.md §2), the same for every implementation, so
throughput ranks kernels as latency does. TFLOP/s and GB/s are decimal: 10^12 and 10^9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Metric:
    """One figure of a measurement."""

    name: str
    """Its column, unit included."""
    title: str
    """For axes and headings, without the unit."""
    unit: str
    """As people write it; "" for a share."""
    higher_is_better: bool
    """Which way is good."""
    least_effect: float
    """Smallest relative change that matters, as a share: below it, a change is called none."""
    formula: Callable[[pd.DataFrame], pd.Series]
    """Its values, from the columns of a tidy frame; NaN where an ingredient is unknown."""


def _stored(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda frame: frame[column]


_ALL = (
    Metric("latency_ms", "Latency", "ms", False, 0.02, _stored("latency_ms")),
    Metric(
        "tflops", "Throughput", "TFLOP/s", True, 0.02, lambda f: f["flops"] / f["latency_ms"] / 1e9
    ),
    Metric(
        "bandwidth_gb_s",
        "Effective bandwidth",
        "GB/s",
        True,
        0.02,
        lambda f: f["min_bytes"] / f["latency_ms"] / 1e6,
    ),
    # The peak is a fact of the hardware, not of the record: `results` joins it in.
    Metric("peak_share", "Share of peak", "", True, 0.02, _stored("peak_share")),
    # The allocator answers in blocks, so a call's peak repeats exactly: small changes are real.
    Metric("peak_memory_mb", "Peak memory", "MB", False, 0.01, _stored("peak_memory_mb")),
    # Inputs come from a seed, so the error repeats too; it moves only if the arithmetic did.
    Metric("max_error", "Largest error", "", False, 0.1, _stored("max_error")),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""Every metric by name."""
