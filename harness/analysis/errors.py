"""Errors of some series over time, aggregated in the database: a row a series and sweep."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from sqlalchemy import func, select

from harness.store import Store, schema
from harness.store.dimensions import LOOKUP


def errors_over_time(store: Store, series: Sequence[str]) -> pd.DataFrame:
    """Columns series_key, sweep_id, started_at, max_error: the largest of the sweep's launches.

    The oldest first; excluded results are left out. Reads the rows of these series alone.
    """
    r, s = schema.result.c, schema.series.c
    excluded = select(schema.exclusion.c.result_id)
    query = (
        select(
            s.key.label("series_key"),
            schema.sweep.c.key.label("sweep_id"),
            func.min(r.started_at).label("started_at"),
            func.max(r.max_error).label("max_error"),
        )
        .select_from(schema.result)
        .join(schema.series, r.series_id == s.id)
        .join(schema.sweep, r.sweep_id == schema.sweep.c.id)
        .where(r.max_error.is_not(None), r.id.not_in(excluded))
        .group_by(s.key, schema.sweep.c.key)
        .order_by(func.min(r.started_at))
    )
    rows: list[tuple[object, ...]] = []
    with store.reading() as connection:
        for start in range(0, len(series), LOOKUP):
            page = query.where(s.key.in_(series[start : start + LOOKUP]))
            rows += map(tuple, connection.execute(page))
    frame = pd.DataFrame(rows, columns=["series_key", "sweep_id", "started_at", "max_error"])
    return frame.astype({"max_error": "float64"})
