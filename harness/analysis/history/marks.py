"""What people said of a series: results that were excluded, and from when its history counts."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from sqlalchemy import select

from harness.store import Store, schema

_R = schema.result.c


def exclusions(store: Store, series: Sequence[str]) -> pd.DataFrame:
    """Excluded results of these series: series_key, sweep_id, started_at, latency_ms, reason."""
    joined = (
        schema.exclusion.join(schema.result, schema.exclusion.c.result_id == _R.id)
        .join(schema.series, _R.series_id == schema.series.c.id)
        .join(schema.sweep, _R.sweep_id == schema.sweep.c.id)
    )
    query = (
        select(
            schema.series.c.key.label("series_key"),
            schema.sweep.c.key.label("sweep_id"),
            _R.started_at,
            _R.median_ms.label("latency_ms"),
            schema.exclusion.c.reason,
        )
        .select_from(joined)
        .where(schema.series.c.key.in_(list(series)))
        .order_by(_R.started_at)
    )
    return _frame(store, query)


def resets(store: Store, series: Sequence[str]) -> pd.DataFrame:
    """Baseline resets of these series: series_key, starts_at, reason."""
    query = (
        select(
            schema.series.c.key.label("series_key"),
            schema.baseline.c.starts_at,
            schema.baseline.c.reason,
        )
        .select_from(
            schema.baseline.join(schema.series, schema.baseline.c.series_id == schema.series.c.id)
        )
        .where(schema.series.c.key.in_(list(series)))
        .order_by(schema.baseline.c.starts_at)
    )
    return _frame(store, query)


def intervals(store: Store, series: Sequence[str]) -> pd.DataFrame:
    """Of these series, a row a sweep and board: series_key, sweep_id, board, and the medians of its
    launches' 95 % intervals of latency, low_ms and high_ms."""
    joined = (
        schema.result.join(schema.series, _R.series_id == schema.series.c.id)
        .join(schema.sweep, _R.sweep_id == schema.sweep.c.id)
        .join(schema.device, _R.device_id == schema.device.c.id)
    )
    query = (
        select(
            schema.series.c.key.label("series_key"),
            schema.sweep.c.key.label("sweep_id"),
            schema.device.c.uuid.label("board"),
            _R.low_ms,
            _R.high_ms,
        )
        .select_from(joined)
        .where(schema.series.c.key.in_(list(series)), _R.status == "ok")
    )
    frame = _frame(store, query)
    figures = ["low_ms", "high_ms"]
    frame[figures] = frame[figures].astype("float64")
    return frame.groupby(["series_key", "sweep_id", "board"], as_index=False)[figures].median()


def _frame(store: Store, query: object) -> pd.DataFrame:
    with store.reading() as connection:
        rows = connection.execute(query)  # type: ignore[call-overload]
        names = list(rows.keys())
        return pd.DataFrame.from_records(list(map(tuple, rows.all())), columns=names)
