"""Metrics: what a record's figures say, computed when asked, so that a new one covers all history.

    METRICS["tflops"].formula(frame)      # a column of the frame of `results` or `cells`

FLOPs and least bytes are the *problem's* (FIELD.md §2), the same for every implementation, so
throughput ranks kernels as latency does. TFLOP/s and GB/s are decimal: 10^12 and 10^9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ConfigError, did_you_mean

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
    # The driver counts whole segments of the allocator.
    Metric(
        "device_peak_memory_mb",
        "Peak memory on the device",
        "MB",
        False,
        0.02,
        _stored("device_peak_memory_mb"),
    ),
    # Of the problem, whatever computes it: MHA, GQA, MLA and quantised caches compare by it.
    Metric("kv_cache_mb", "KV cache", "MB", False, 0.001, _stored("kv_cache_mb")),
    # The counters tick every 20 to 100 ms, in a loop of 2 s: up to 5 % of a figure is theirs.
    Metric("energy_j", "Energy per call", "J", False, 0.05, _stored("energy_j")),
    Metric(
        "tflops_per_w",
        "Throughput per watt",
        "TFLOP/s/W",
        True,
        0.05,
        lambda f: f["flops"] / f["energy_j"] / 1e12,
    ),
    # Inputs come from a seed, so errors repeat too; they move only if the arithmetic did.
    Metric("max_error", "Largest error", "", False, 0.1, _stored("max_error")),
    Metric("rmse_ratio", "RMSE over RMS of the oracle", "", False, 0.1, _stored("rmse_ratio")),
    # Near 1 by nature: what moves is the rest.
    Metric("cosine", "Cosine with the oracle", "", True, 1e-4, _stored("cosine")),
    Metric(
        "error_over_baseline",
        "Largest error over that of plain torch",
        "",
        False,
        0.1,
        lambda f: f["max_error"] / f["baseline_max_error"].where(f["baseline_max_error"] > 0),
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""Every metric by name."""

ALIASES = {
    "accuracy": "max_error",
    "energy": "energy_j",
    "error": "max_error",
    "memory": "peak_memory_mb",
    "throughput": "tflops",
}
"""Other words for some of them."""


def metric_named(text: str) -> Metric:
    """The metric of a name, of another word for it, or of the beginning of one alone.

    Raises ConfigError, naming close ones.
    """
    name = ALIASES.get(text, text)
    if name in METRICS:
        return METRICS[name]
    begun = [metric for metric in METRICS.values() if metric.name.startswith(name)]
    if len(begun) == 1:
        return begun[0]
    hint = did_you_mean(text, [*METRICS, *ALIASES])
    if begun:
        hint = f"It begins {', '.join(metric.name for metric in begun)}."
    raise ConfigError(f"metric {text!r}: no such metric. {hint}")
