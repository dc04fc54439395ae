"""What travels beside results: sweeps, tags, exclusions, baselines, triage, the audit log.

As items, ``(kind, facts)``, that name everything by keys which are the same on every machine. A
merge and an import put the same items; each is put once, however often it comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from harness.errors import RecordConflict, StoreError
from harness.store.rows import Row, checked_for
from harness.store.schema import audit, baseline, exclusion, job, result, series, sweep, tag, triage
from harness.store.sweeps import STATES, StoredSweep, stored_sweep, sweep_row

Item = tuple[str, dict[str, Any]]

ANNOTATIONS = ("tag", "exclusion", "baseline", "triage", "audit")
"""Kinds of items that follow the results which they refer to."""


def sweep_items(connection: Connection) -> Iterator[Item]:
    """Every sweep, the oldest first."""
    for row in connection.execute(select(sweep).order_by(sweep.c.id)).mappings():
        facts = asdict(stored_sweep(dict(row)))
        yield "sweep", facts | {"overrides": list(facts["overrides"])}


def annotation_items(connection: Connection) -> Iterator[Item]:
    """Every annotation, in the order of ANNOTATIONS."""
    e, b, a = exclusion.c, baseline.c, audit.c
    queries = {
        "tag": select(sweep.c.key.label("sweep"), tag.c.name, tag.c.tagged_at)
        .join_from(tag, sweep)
        .order_by(tag.c.id),
        "exclusion": select(
            sweep.c.key.label("sweep"),
            job.c.key.label("job"),
            result.c.launch,
            result.c.attempt,
            e.reason,
            e.excluded_at,
        )
        .select_from(exclusion.join(result).join(sweep).join(job))
        .order_by(e.result_id),
        "baseline": select(series.c.key.label("series"), b.starts_at, b.reason)
        .join_from(baseline, series)
        .order_by(b.id),
        "triage": select(*(c for c in triage.c if c.name != "id")).order_by(triage.c.id),
        "audit": select(*(c for c in a if c.name != "id")).order_by(a.id),
    }
    for kind, query in queries.items():
        for row in connection.execute(query).mappings():
            yield kind, dict(row)


def put_sweep(connection: Connection, facts: dict[str, Any], store: str) -> bool:
    """Store a sweep with its state, or bring the state of the one that is there up to date.

    Returns whether it was new. Raises RecordConflict where another one has its id, StoreError where
    it says what no store can keep.
    """
    if facts.get("state") not in STATES:
        raise StoreError(f"sweep {facts.get('id')!r} has the state {facts.get('state')!r}")
    came = StoredSweep(**(facts | {"overrides": tuple(facts["overrides"])}))
    state: Row = {"state": came.state, "finished_at": came.finished_at}
    row = sweep_row(came)
    there = connection.execute(select(sweep).where(sweep.c.key == came.id)).mappings().one_or_none()
    if there is None:
        connection.execute(insert(sweep), checked_for(sweep, row | state))
        return True
    known = stored_sweep(dict(there))
    if sweep_row(known) != row:
        raise RecordConflict(
            f"{store} has another sweep {came.id}: started {known.started_at} by "
            f"`{known.command}`, and the one that came {came.started_at} by `{came.command}`"
        )
    if came.finished_at > known.finished_at:
        connection.execute(update(sweep).where(sweep.c.id == there["id"]).values(state))
    return False


def put_annotation(connection: Connection, kind: str, facts: dict[str, Any]) -> bool:
    """Store an annotation unless it is there; whether it was new.

    A result or series that has its own exclusion, or reset at that moment, keeps it. Raises
    StoreError where what it refers to isn't there, or it says what no store can keep.
    """
    row = dict(facts)
    if kind == "audit":
        return _put(connection, audit, row, ("key",))
    if kind == "triage":
        return _put(connection, triage, row, ("key",))
    if kind == "exclusion":
        row["result_id"] = _result(connection, row)
        return _put(connection, exclusion, row, ("result_id",))
    if kind == "tag":
        row["sweep_id"] = _named(connection, sweep, row.pop("sweep"))
        return _put(connection, tag, row, ("sweep_id", "name"))
    if kind == "baseline":
        row["series_id"] = _named(connection, series, row.pop("series"))
        return _put(connection, baseline, row, ("series_id", "starts_at"))
    raise StoreError(f"{kind!r} is no annotation that this attnbench knows")


def _result(connection: Connection, row: Row) -> int:
    identity = [row.pop(name) for name in ("sweep", "job", "launch", "attempt")]
    columns = (sweep.c.key, job.c.key, result.c.launch, result.c.attempt)
    query = select(result.c.id).select_from(result.join(sweep).join(job))
    for column, value in zip(columns, identity, strict=True):
        query = query.where(column == value)
    found: int | None = connection.scalar(query)
    if found is None:
        raise StoreError(f"an exclusion of a result that isn't there: {identity}")
    return found


def _named(connection: Connection, table: Table, key: str) -> int:
    found: int | None = connection.scalar(select(table.c.id).where(table.c.key == key))
    if found is None:
        raise StoreError(f"an annotation of {table.name} {key}, which isn't there")
    return found


def _put(connection: Connection, table: Table, row: Row, identity: tuple[str, ...]) -> bool:
    query = select(table.c[identity[0]])
    for name in identity:
        query = query.where(table.c[name] == row[name])
    if connection.execute(query).first() is not None:
        return False
    connection.execute(insert(table), checked_for(table, row))
    return True
