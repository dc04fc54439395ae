"""Which metrics have a history, and which columns of a result each is made of."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.analysis import read_off
from harness.analysis.metrics import METRICS, Metric
from harness.errors import ConfigError
from harness.store import schema

_R = schema.result.c
COLUMNS: dict[str, tuple[Any, float]] = {
    "latency_ms": (_R.median_ms, 1.0),
    "peak_memory_mb": (_R.peak_bytes, 1e-6),
    **{name: (_R[name], 1.0) for name in ("flops", "min_bytes", "max_error", "rmse_ratio")},
    **{name: (_R[name], 1.0) for name in ("cosine", "baseline_max_error")},
}
"""Ingredients of metrics: which column, times what."""


def ingredients(metric: Metric) -> list[str]:
    """Columns that a metric's formula asks for.

    Raises:
        ConfigError: one of them isn't recorded with a result, so the metric has no history.
    """
    asked = _Asked()
    metric.formula(asked)  # type: ignore[arg-type]
    missing = [name for name in asked if not _recorded(name)]
    if missing:
        able = ", ".join(historic())
        raise ConfigError(
            f"metric={metric.name} has no history of its own: {missing[0]} isn't recorded with a "
            f"result. There are: {able}"
        )
    return list(asked)


def _recorded(name: str) -> bool:
    return name in COLUMNS or name in read_off.FIGURES


class _Asked(dict[str, Any]):
    """Stands in for a frame, and remembers which columns it was asked for."""

    def __missing__(self, name: str) -> pd.Series[float]:
        self[name] = empty = pd.Series(dtype="float64")
        return empty


def historic() -> list[str]:
    """Names of the metrics that have a history."""
    found = []
    for metric in METRICS.values():
        asked = _Asked()
        metric.formula(asked)  # type: ignore[arg-type]
        if all(map(_recorded, asked)):
            found.append(metric.name)
    return found


def with_history(metric: Metric) -> Metric:
    """The metric itself. Raises ConfigError where it has no history."""
    ingredients(metric)
    return metric
