"""What is let go: raw samples of old results (their summaries stay), and whole sweeps.

Each function is one transaction, with its entry in the audit log. The space is given back by
``attnbench store vacuum``.
"""

from __future__ import annotations

from sqlalchemy import Connection, Select, Table, and_, delete, func, or_, select

from harness.errors import StoreError
from harness.store import schema
from harness.store.audit import note
from harness.store.reading import sweep_number
from harness.store.store import Store


def prunable(store: Store, before: str) -> tuple[int, int]:
    """How many results older than a moment (ISO 8601 UTC) have raw samples still, and how big."""
    size = func.coalesce(func.sum(func.length(schema.sample.c.times_ms)), 0)
    query = select(func.count(), size).where(schema.sample.c.result_id.in_(_older(before)))
    with store.reading() as connection:
        count, total = connection.execute(query).one()
        return int(count), int(total)


def prune_samples(store: Store, before: str, reason: str = "") -> tuple[int, int]:
    """Drop the raw samples of results older than ``before``; how many results, and bytes.

    Median, interval, count and the hash of the whole record stay: lists, histories and comparisons
    of launch medians don't change, and the same record delivered again is still known.
    """
    with store.writing() as connection:
        mine = schema.sample.c.result_id.in_(_older(before))
        size = func.coalesce(func.sum(func.length(schema.sample.c.times_ms)), 0)
        total = int(connection.scalar(select(size).where(mine)) or 0)
        count = connection.execute(delete(schema.sample).where(mine)).rowcount
        if count:
            subject = f"samples of results before {before}"
            note(connection, "prune", subject, reason, results=count, bytes=total)
        return count, total


def delete_sweep(store: Store, sweep_id: str, reason: str) -> int:
    """Delete a sweep with all its results and what hangs on them; how many results.

    Facts that several sweeps share (problems, environments …) stay, for a vacuum to look after.

    Raises:
        StoreError: no such sweep, or no reason.
    """
    if not reason.strip():
        raise StoreError("deleting a sweep needs a reason: the audit log keeps it")
    with store.writing() as connection:
        number = sweep_number(connection, sweep_id)
        mine = select(schema.result.c.id).where(schema.result.c.sweep_id == number)
        _delete_children(connection, schema.result, mine)
        gone = connection.execute(delete(schema.result).where(schema.result.c.sweep_id == number))
        this = select(schema.sweep.c.id).where(schema.sweep.c.id == number)
        _delete_children(connection, schema.sweep, this)
        row = connection.execute(select(schema.sweep).where(schema.sweep.c.id == number))
        command = row.mappings().one()["command"]
        connection.execute(delete(schema.sweep).where(schema.sweep.c.id == number))
        what = f"sweep {sweep_id}"
        note(connection, "delete-sweep", what, reason, results=gone.rowcount, command=command)
        return int(gone.rowcount)


def _delete_children(connection: Connection, parent: Table, ids: Select[tuple[int]]) -> None:
    """Rows of whatever table refers to ``parent``'s: a later table needs no word here."""
    for table in reversed(schema.metadata.sorted_tables):
        for key in table.foreign_keys:
            if key.column.table is parent and table is not schema.result:
                connection.execute(delete(table).where(key.parent.in_(ids)))


def _older(before: str) -> Select[tuple[int]]:
    """Results that are older; one without a time of its own is as old as its sweep."""
    r, s = schema.result.c, schema.sweep.c
    return (
        select(r.id)
        .join(schema.sweep)
        .where(
            or_(
                and_(r.started_at != "", r.started_at < before),
                and_(r.started_at == "", s.started_at < before),
            )
        )
    )
