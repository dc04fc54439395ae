"""Looking after a store: what it holds, whether it is whole, and giving space back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Table, case, delete, exists, func, select

from harness.errors import StoreError
from harness.model import median
from harness.store import engine as engines
from harness.store import schema
from harness.store.audit import note
from harness.store.dimensions import DIMENSIONS
from harness.store.migrate import revision_of
from harness.store.reading import load
from harness.store.store import Store

PAGE = 500
SHOWN = 20
"""Problems listed before the rest is only counted."""


@dataclass(frozen=True)
class StoreInfo:
    """What a store is and holds."""

    url: str
    """Without its password."""
    engine: str
    """SQLite or Postgres, with its version."""
    schema: str
    """Revision of its tables."""
    schema_writer: str
    """attnbench that last changed them."""
    size_bytes: int
    """On disk."""
    sweeps: int
    """Sweeps, whatever their state."""
    results: int
    """Results, whatever their status."""
    with_samples: int
    """Results whose raw samples are there."""
    pruned: int
    """Results of which only a summary is left."""
    excluded: int
    """Results that analysis ignores."""
    series: int
    """Series: kernel, problem, device model and timing mode."""
    tags: int
    """Names given to sweeps."""
    changes: int
    """Entries of the audit log."""
    first: str
    """When the oldest sweep started; "" without one."""
    last: str
    """When the newest one did."""


def info(store: Store) -> StoreInfo:
    """Counts and sizes. At a million results it takes about a second: it counts them."""
    r = schema.result.c
    with store.reading() as connection:
        sampled = func.sum(case((r.sample_count > 0, 1), else_=0))
        results, measured = connection.execute(select(func.count(), sampled)).one()
        with_samples = _count(connection, schema.sample)
        writer = select(schema.store_info.c.value)
        first, last = connection.execute(
            select(func.min(schema.sweep.c.started_at), func.max(schema.sweep.c.started_at))
        ).one()
        return StoreInfo(
            url=store.safe_url,
            engine=engines.describe(connection),
            schema=str(revision_of(connection, store.url)),
            schema_writer=str(
                connection.scalar(writer.where(schema.store_info.c.name == "schema_writer"))
            ),
            size_bytes=engines.size_bytes(connection),
            sweeps=_count(connection, schema.sweep),
            results=int(results),
            with_samples=with_samples,
            pruned=int(measured or 0) - with_samples,
            excluded=_count(connection, schema.exclusion),
            series=_count(connection, schema.series),
            tags=_count(connection, schema.tag),
            changes=_count(connection, schema.audit),
            first=first or "",
            last=last or "",
        )


def check(
    store: Store, *, deep: bool = False, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """What is wrong with a store, one line each; [] where nothing is.

    Looks at the file and its references, and at each result's samples; ``deep`` reads every record
    and computes its median again. ``progress(done, total)`` is called meanwhile.
    """
    r, s = schema.result.c, schema.sample
    try:
        with store.reading() as connection:
            found = engines.damage(connection)
    except StoreError as error:  # too damaged even to be looked at: that is the finding
        return [str(error)]
    if found:
        return found
    with store.reading() as connection:
        short = select(r.id).join(s).where(func.length(s.c.times_ms) != 8 * r.sample_count)
        found += [f"result {i}: its samples are cut short" for i in connection.scalars(short)]
        ids = connection.scalars(select(r.id).order_by(r.id)).all() if deep else []
    for start in range(0, len(ids), PAGE):
        found += _check_page(store, list(ids[start : start + PAGE]))
        if progress:
            progress(min(start + PAGE, len(ids)), len(ids))
    return found[:SHOWN] + ([f"… and {len(found) - SHOWN} more"] if len(found) > SHOWN else [])


def _check_page(store: Store, ids: list[int]) -> list[str]:
    r = schema.result.c
    with store.reading() as connection:
        stored = {
            row[0]: row[1]
            for row in connection.execute(select(r.id, r.median_ms).where(r.id.in_(ids)))
        }
        try:
            records = load(connection, ids)
        except (ValueError, TypeError, KeyError) as error:
            if len(ids) > 1:
                return [line for id_ in ids for line in _check_page(store, [id_])]
            return [f"result {ids[0]}: not a record: {error}"]
    return [
        f"result {id_}: its median is {stored[id_]} ms, that of its samples "
        f"{median(record.samples_ms)} ms"
        for id_, record in zip(ids, records, strict=True)
        if record.samples_ms and median(record.samples_ms) != stored[id_]
    ]


def vacuum(store: Store) -> tuple[int, int]:
    """Drop facts that no result refers to and give space back; rows dropped, and bytes.

    Other processes may be at work: one whose fact was dropped stores it anew.
    """
    with store.reading() as connection:
        before = engines.size_bytes(connection)
    with store.writing() as connection:
        dropped = sum(_drop_orphans(connection, dimension.table) for dimension in DIMENSIONS[::-1])
        if dropped:
            note(connection, "vacuum", "facts that no result refers to", rows=dropped)
    with engines.translated(store.url):
        engines.compact(store.engine)
    with store.reading() as connection:
        return dropped, max(0, before - engines.size_bytes(connection))


def backup(store: Store, target: Path) -> int:
    """Copy a SQLite store to a new file, its size in bytes (``engines.backup``)."""
    return engines.backup(store.url, target)


def _drop_orphans(connection: Connection, table: Table) -> int:
    used = [
        exists().where(key.parent == table.c.id)
        for other in schema.metadata.sorted_tables
        for key in other.foreign_keys
        if key.column.table is table
    ]
    query = delete(table)
    for reference in used:
        query = query.where(~reference)
    return int(connection.execute(query).rowcount)


def _count(connection: Connection, table: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)
