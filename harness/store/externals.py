"""External results in their two tables: once each, or refused; inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, insert, select

from harness.errors import RecordConflict, shortened
from harness.model import External, params_of
from harness.store.dimensions import LOOKUP, ids_by_key
from harness.store.engine import insert_new
from harness.store.rows import Row, checked_for, json_text, pack_samples, unpack_samples
from harness.store.schema import external_result, external_series

_PLAIN = ("measured_at", "version", "source", "origin", "statistic", "higher_is_better")
_SERIES = ("benchmark", "measure", "unit", "device")


def insert_externals(connection: Connection, results: Sequence[External], store: str) -> int:
    """Insert what is new; the count of it. The rest must say what is stored.

    Raises:
        RecordConflict: a series has other content for this time and version; names both.
        StoreError: a value that no store can keep.
    """
    new: dict[str, External] = {}
    stored = _stored(connection, [result.key for result in results])
    for result in results:
        if result.key in new:
            known, origin = new[result.key].content_key, new[result.key].origin
        elif result.key in stored:
            known, origin = stored[result.key]
        else:
            new[result.key] = result
            continue
        if known != result.content_key:
            raise RecordConflict(
                shortened(
                    f"{store}: two different results of {result.benchmark} {dict(result.params)}, "
                    f"{result.measure} on {result.device} at {result.measured_at}"
                    f"{f' of {result.version}' if result.version else ''}: {known} from {origin} "
                    f"is there, {result.content_key} came from {result.origin}"
                )
            )
    if new:
        series = {result.series_key: _series_row(result) for result in new.values()}
        connection.execute(
            insert_new(connection, external_series), [series[key] for key in sorted(series)]
        )
        ids = ids_by_key(connection, external_series, series)
        rows = [
            _row(result) | {"external_series_id": ids[result.series_key]} for result in new.values()
        ]
        connection.execute(insert(external_result), rows)
    return len(new)


def _stored(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Content key and origin of what is stored, by key."""
    found = {}
    columns = external_result.c
    for start in range(0, len(keys), LOOKUP):
        wanted = select(columns.key, columns.content_key, columns.origin).where(
            columns.key.in_(keys[start : start + LOOKUP])
        )
        found.update({row[0]: (row[1], row[2]) for row in connection.execute(wanted)})
    return found


def _series_row(result: External) -> Row:
    row: Row = {name: getattr(result, name) for name in _SERIES}
    row |= {"key": result.series_key, "params": json_text(dict(result.params), "params")}
    return checked_for(external_series, row)


def _row(result: External) -> Row:
    low, high = result.interval or (None, None)
    row: Row = {name: getattr(result, name) for name in _PLAIN}
    row |= {
        "key": result.key,
        "value_count": len(result.values),
        "value": result.value,
        "low": low,
        "high": high,
        "content_key": result.content_key,
        "metadata": json_text(result.metadata, "metadata"),
    }
    return checked_for(external_result, row) | {"repeats": pack_samples(result.values)}


def stored_externals(connection: Connection) -> Iterator[External]:
    """Every external result, as they arrived."""
    query = (
        select(external_result, *(external_series.c[name] for name in (*_SERIES, "params")))
        .join(external_series)
        .order_by(external_result.c.id)
    )
    for row in connection.execution_options(yield_per=1000).execute(query).mappings():
        yield External(
            values=unpack_samples(row["repeats"]),
            params=params_of(json.loads(row["params"])),
            metadata=json.loads(row["metadata"]),
            **{name: row[name] for name in (*_PLAIN, *_SERIES)},
        )
