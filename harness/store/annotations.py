"""What people add to results: tags, exclusions, baselines. Results themselves never change.

Each function is one transaction, with its entry in the audit log.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from harness.errors import StoreError, did_you_mean
from harness.model import utc_now
from harness.store import schema
from harness.store.audit import note
from harness.store.reading import sweep_number
from harness.store.rows import checked_for
from harness.store.selection import Selection
from harness.store.store import Store

CHUNK = 500


def tag(store: Store, sweep_id: str, name: str, reason: str = "") -> bool:
    """Give a sweep a name, beside those it has; False if it has this one.

    Raises:
        StoreError: no such sweep, or the name is empty, too long or holds NUL.
    """
    if not name.strip():
        raise StoreError("a tag needs a name")
    row = checked_for(schema.tag, {"name": name, "tagged_at": utc_now()})
    with store.writing() as connection:
        number = sweep_number(connection, sweep_id)
        here = (schema.tag.c.sweep_id == number) & (schema.tag.c.name == name)
        if connection.scalar(select(schema.tag.c.id).where(here)) is not None:
            return False
        connection.execute(insert(schema.tag), row | {"sweep_id": number})
        note(connection, "tag", f"sweep {sweep_id}", reason, tag=name)
        return True


def untag(store: Store, sweep_id: str, name: str, reason: str = "") -> None:
    """Take a name off a sweep. Raises StoreError where it doesn't have it."""
    with store.writing() as connection:
        number = sweep_number(connection, sweep_id)
        mine = schema.tag.c.sweep_id == number
        gone = connection.execute(delete(schema.tag).where(mine, schema.tag.c.name == name))
        if not gone.rowcount:
            known = connection.scalars(select(schema.tag.c.name).where(mine)).all()
            raise StoreError(f"sweep {sweep_id} has no tag {name!r}. {did_you_mean(name, known)}")
        note(connection, "untag", f"sweep {sweep_id}", reason, tag=name)


def tags(store: Store) -> dict[str, list[str]]:
    """The tags of every sweep that has any, by sweep id, sorted."""
    query = select(schema.sweep.c.key, schema.tag.c.name).join(schema.tag)
    found: dict[str, list[str]] = {}
    with store.reading() as connection:
        for sweep_id, name in connection.execute(query.order_by(schema.tag.c.name)):
            found.setdefault(sweep_id, []).append(name)
    return found


def exclude(store: Store, which: Selection, reason: str) -> int:
    """Have analysis ignore results, which are kept; how many. One excluded before gets the reason.

    Raises:
        StoreError: no reason, nothing selected, or nothing matches.
    """
    _need(reason, "excluding results")
    now = utc_now()
    with store.writing() as connection:
        ids = _ids(connection, which)
        row = checked_for(schema.exclusion, {"reason": reason, "excluded_at": now})
        for some in _chunks(ids):
            there = schema.exclusion.c.result_id.in_(some)
            old = set(connection.scalars(select(schema.exclusion.c.result_id).where(there)))
            connection.execute(update(schema.exclusion).where(there).values(row))
            new = [row | {"result_id": id_} for id_ in some if id_ not in old]
            if new:
                connection.execute(insert(schema.exclusion), new)
        note(connection, "exclude", which.describe(), reason, results=len(ids))
    return len(ids)


def include(store: Store, which: Selection, reason: str = "") -> int:
    """Undo an exclusion; how many results count again. Raises StoreError as ``exclude`` does."""
    with store.writing() as connection:
        ids, count = _ids(connection, which), 0
        for some in _chunks(ids):
            gone = delete(schema.exclusion).where(schema.exclusion.c.result_id.in_(some))
            count += connection.execute(gone).rowcount
        if count:
            note(connection, "include", which.describe(), reason, results=count)
    return count


def reset_baseline(store: Store, which: Selection, reason: str, starts_at: str = "") -> int:
    """Let the history of the selected results' series count from a moment on; how many series.

    ``starts_at`` is ISO 8601 UTC (default: now). What lies before it is kept, and shown.

    Raises:
        StoreError: no reason, nothing selected, or nothing matches.
    """
    _need(reason, "resetting a baseline")
    moment = starts_at or utc_now()
    r, b = schema.result.c, schema.baseline
    with store.writing() as connection:
        ids = _ids(connection, which)
        series: set[int] = set()
        for some in _chunks(ids):
            found = connection.scalars(select(r.series_id).where(r.id.in_(some)).distinct())
            series.update(id_ for id_ in found if id_ is not None)
        if not series:
            raise StoreError(f"no result of {which.describe()} ever reached a device: no series")
        row = checked_for(b, {"starts_at": moment, "reason": reason})
        for some in _chunks(sorted(series)):
            there = b.c.series_id.in_(some) & (b.c.starts_at == moment)
            connection.execute(delete(b).where(there))
            connection.execute(insert(b), [row | {"series_id": id_} for id_ in some])
        note(
            connection,
            "reset-baseline",
            which.describe(),
            reason,
            series=len(series),
            starts_at=moment,
        )
    return len(series)


def _need(reason: str, what: str) -> None:
    if not reason.strip():
        raise StoreError(f"{what} needs a reason: it is what later readers have to go by")


def _ids(connection: Connection, which: Selection) -> list[int]:
    ids = list(connection.scalars(which.results(connection).order_by(schema.result.c.id)))
    if not ids:
        raise StoreError(f"no result matches {which.describe()}")
    return ids


def _chunks(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
