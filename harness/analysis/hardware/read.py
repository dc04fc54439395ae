"""What a comparison of GPUs reads: of each series and board, its newest good sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from sqlalchemy import Connection, func, select

from harness.analysis.cells import cells
from harness.analysis.query import names_of, results
from harness.errors import ConfigError, did_you_mean
from harness.model import Gpu, Status
from harness.store import Store, schema
from harness.store.dimensions import LOOKUP

_R = schema.result.c
MORE = {
    "memory_bytes": schema.hardware.c.memory_bytes,
    "timing_id": _R.timing_id,
}
"""Columns beside those of ``results``: what tells models of one name apart, and the protocol."""
FILTERS = ("kernel", "dtype", "gpu", "experiment", "workload", "sweep", "since")


def read_hardware(
    store: Store, gpus: Mapping[str, Gpu] | None = None, **filters: Any
) -> pd.DataFrame:
    """The cells (``harness.analysis.cells``) that ran: a row a job, board and its newest sweep.

    ``filters`` are those of ``results`` by FILTERS' names. Added columns: ``gpu_name`` (the name
    in ``gpus``, else the device's own), ``memory_bytes``, ``timing`` (settings as JSON text).

    Raises:
        ConfigError: an unknown filter, or a kernel or GPU that nothing stored has.
        StoreError: the database can't be read.
    """
    for name in filters.keys() - set(FILTERS):
        raise ConfigError(f"{name!r} is no filter. {did_you_mean(name, FILTERS)}")
    given = {name: value for name, value in filters.items() if value}
    with store.reading() as connection:
        ids = None if "sweep" in given else _newest(connection)
    frame = results(store, gpus=gpus, ids=ids, more=MORE, status=str(Status.OK), **given)
    if frame.empty and given:
        with store.reading() as connection:
            _must_exist(connection, given)
    with store.reading() as connection:
        rows = connection.execute(select(schema.timing.c.id, schema.timing.c.settings))
        settings = {row[0]: row[1] for row in rows}
    out = cells(frame)
    if "sweep" in given and not out.empty:
        newest = out.groupby(["series_key", "device_uuid", "host"])["sweep_id"].transform("max")
        out = out[out["sweep_id"] == newest]
    return out.assign(timing=out["timing_id"].map(settings)).reset_index(drop=True)


def _newest(connection: Connection) -> list[int]:
    """Ids of the good results of each series' newest sweep on each board."""
    excluded = select(schema.exclusion.c.result_id)
    good = (_R.status == Status.OK, _R.series_id.is_not(None), _R.id.not_in(excluded))
    grouped = (
        select(_R.series_id, _R.device_id, _R.sweep_id, func.max(_R.started_at).label("at"))
        .where(*good)
        .group_by(_R.series_id, _R.device_id, _R.sweep_id)
    )
    newest: dict[tuple[int, int], tuple[str, int]] = {}
    for series_id, device_id, sweep_id, at in connection.execute(grouped):
        key = series_id, device_id
        newest[key] = max(newest.get(key, ("", 0)), (at, sweep_id))
    wanted = {(*key, sweep_id) for key, (_, sweep_id) in newest.items()}
    series = sorted({key[0] for key in newest})
    found: list[int] = []
    for start in range(0, len(series), LOOKUP):
        query = select(_R.id, _R.series_id, _R.device_id, _R.sweep_id).where(
            *good, _R.series_id.in_(series[start : start + LOOKUP])
        )
        found += [row[0] for row in connection.execute(query) if tuple(row[1:]) in wanted]
    return sorted(found)


def _must_exist(connection: Connection, given: Mapping[str, Any]) -> None:
    """Raise ConfigError for a filter that no result has."""
    columns = {
        "kernel": schema.kernel.c.name,
        "gpu": schema.job.c.gpu,
        "dtype": schema.problem.c.dtype,
        "experiment": _R.experiment,
        "workload": _R.workload,
        "sweep": schema.sweep.c.key,
    }
    import fnmatch

    for name in given.keys() & columns.keys():
        known = sorted(filter(None, connection.scalars(select(columns[name]).distinct())))
        for value in names_of(given[name]):
            if not any(fnmatch.fnmatchcase(one, value) for one in known):
                raise ConfigError(f"no result of {name}={value} here. {did_you_mean(value, known)}")
