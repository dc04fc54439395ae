"""The questions asked all the time, answered from an index however many results there are.

    latest_values(store)                     # every series' newest result
    history(store, series_key)               # one series, the oldest first
    launch_medians(store, ["…", "…"])        # what a comparison of sweeps needs

They read narrow rows of ``result`` and what it takes to name them, no samples. Results that were
excluded (`store exclude`) are left out. A test looks at the query plans: none walks the results or
the samples. The data of a report's page is ``results(store, sweep=…)`` of harness.analysis.query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Select, exists, select

from harness.store import Store, schema
from harness.store.dimensions import LOOKUP, keys_by_id

_R = schema.result.c
_FIGURES = [
    _R.started_at,
    _R.launch,
    _R.attempt,
    _R.status,
    _R.sample_count.label("samples"),
    _R.median_ms.label("latency_ms"),
    _R.low_ms.label("latency_low_ms"),
    _R.high_ms.label("latency_high_ms"),
]


def _included(result: Any = schema.result) -> Any:
    return ~exists().where(schema.exclusion.c.result_id == result.c.id)


def _frame(store: Store, query: Select[Any]) -> pd.DataFrame:
    with store.reading() as connection:
        return _fetched(connection, query)


def _fetched(connection: Connection, query: Select[Any]) -> pd.DataFrame:
    rows = connection.execute(query)
    names = list(rows.keys())
    frame = pd.DataFrame.from_records(list(map(tuple, rows.all())), columns=names)
    for name in ("latency_ms", "latency_low_ms", "latency_high_ms"):
        if name in frame:
            frame[name] = frame[name].astype("float64")
    return frame


def latest_values(store: Store) -> pd.DataFrame:
    """The newest result of each series: its key, kernel, problem, device, mode, sweep, figures.

    A series is looked up in the index (series, time) from its newest end, so the cost is that of
    the number of series, not of results.
    """
    series = schema.series
    newest = schema.result.alias("newest")
    of_series = (
        select(newest.c.id)
        .where(newest.c.series_id == series.c.id, _included(newest))
        .order_by(newest.c.started_at.desc(), newest.c.id.desc())
        .limit(1)
        .correlate(series)
        .scalar_subquery()
    )
    joined = (
        schema.result.join(series, _R.series_id == series.c.id)
        .join(schema.kernel, series.c.kernel_id == schema.kernel.c.id)
        .join(schema.problem, series.c.problem_id == schema.problem.c.id)
        .join(schema.sweep, _R.sweep_id == schema.sweep.c.id)
    )
    query = select(
        series.c.key.label("series_key"),
        schema.kernel.c.name.label("kernel"),
        schema.kernel.c.options.label("kernel_options"),
        schema.problem.c.key.label("problem_key"),
        series.c.device_model.label("device"),
        series.c.mode,
        schema.sweep.c.key.label("sweep_id"),
        *_FIGURES,
    ).select_from(joined)
    with store.reading() as connection:
        # Two steps: in one, Postgres may decide to walk the results to join them.
        found = connection.scalars(select(of_series).select_from(series))
        ids = [id_ for id_ in found if id_ is not None]
        pages = [ids[start : start + LOOKUP] for start in range(0, len(ids), LOOKUP)] or [[]]
        frames = [_fetched(connection, query.where(_R.id.in_(page))) for page in pages]
    return pd.concat(frames, ignore_index=True)


def history(store: Store, series_key: str) -> pd.DataFrame:
    """Every result of one series, the oldest first, with the board and the versions it ran with."""
    joined = (
        schema.series.join(schema.result, _R.series_id == schema.series.c.id)
        .join(schema.sweep, _R.sweep_id == schema.sweep.c.id)
        .outerjoin(schema.device, _R.device_id == schema.device.c.id)
        .outerjoin(schema.environment, _R.environment_id == schema.environment.c.id)
        .outerjoin(schema.revision, _R.revision_id == schema.revision.c.id)
    )
    query = (
        select(
            schema.sweep.c.key.label("sweep_id"),
            schema.device.c.uuid.label("device_uuid"),
            schema.device.c.host,
            *_FIGURES,
            *(schema.environment.c[n] for n in ("torch", "cuda", "driver", "python", "harness")),
            *(schema.revision.c[n] for n in ("source_hash", "library", "library_version")),
        )
        .select_from(joined)
        .where(schema.series.c.key == series_key, _included())
        .order_by(_R.started_at, _R.id)
    )
    return _frame(store, query)


def launch_medians(store: Store, sweeps: Sequence[str]) -> pd.DataFrame:
    """A row an attempt of these sweeps: job, board, launch, status, median latency (ms).

    A join would carry the keys through each of ten thousand rows: they are looked up once each.
    """
    sweep, device = schema.sweep.c, schema.device.c
    with store.reading() as connection:
        numbers = connection.execute(select(sweep.id, sweep.key).where(sweep.key.in_(list(sweeps))))
        keys = dict(map(tuple, numbers))
        frame = _fetched(
            connection,
            select(
                _R.sweep_id,
                _R.job_id,
                _R.device_id,
                _R.launch,
                _R.attempt,
                _R.status,
                _R.median_ms.label("latency_ms"),
            ).where(_R.sweep_id.in_(list(keys)), _included()),
        )
        jobs = keys_by_id(connection, schema.job, map(int, frame["job_id"].unique()))
        boards = connection.execute(select(device.id, device.uuid))
        uuids = dict(map(tuple, boards))
    named = {
        "sweep_id": frame["sweep_id"].map(keys),
        "job_key": frame["job_id"].map(jobs),
        "device_uuid": frame["device_id"].map(uuids),
    }
    return pd.DataFrame(named).join(frame.drop(columns=["sweep_id", "job_id", "device_id"]))
