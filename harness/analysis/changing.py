"""Whether a store has changed, and which sweeps still run: cheap enough to ask each few seconds."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from harness.store import Store, schema

Mark = tuple[object, ...]


@dataclass(frozen=True)
class Running:
    """A sweep that was started and has not ended (or whose driver was killed)."""

    id: str
    """Its id."""
    name: str
    """Its experiment."""
    stored: int
    """Records that it has stored so far; a retry or a skip counts too."""
    planned: int
    """Launches that it planned: jobs × launches."""
    last: str
    """When the newest of them began, ISO 8601 UTC; "" before the first."""


def mark(store: Store) -> Mark:
    """A value that differs after anything was stored, excluded, reset, tagged or deleted.

    From the ends of indexes and from small tables: the same time whatever the results' number.
    """
    r, s = schema.result.c, schema.sweep.c
    asked = [
        select(func.max(r.id)),
        select(func.count()).select_from(schema.sweep),
        select(func.max(s.finished_at)),
        select(func.count()).select_from(schema.sweep).where(s.state == "running"),
        select(func.count()).select_from(schema.audit),
        select(func.count()).select_from(schema.exclusion),
    ]
    with store.reading() as connection:
        return tuple(connection.scalar(query) for query in asked)


def running(store: Store) -> list[Running]:
    """Sweeps that run now, the newest first."""
    r, s = schema.result.c, schema.sweep.c
    figures = (
        select(s.key, s.name, func.count(r.id), s.jobs * s.launches, func.max(r.started_at))
        .select_from(schema.sweep.outerjoin(schema.result, r.sweep_id == s.id))
        .where(s.state == "running")
        .group_by(s.id, s.key, s.name, s.jobs, s.launches)
        .order_by(s.key.desc())
    )
    with store.reading() as connection:
        return [
            Running(key, name, stored, planned, last or "")
            for key, name, stored, planned, last in connection.execute(figures)
        ]
