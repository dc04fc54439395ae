"""What people say of events: new, acknowledged, expected, fixed, ignored, with notes and links.

Entries are only ever added; the newest of an event says its state. Each keeps which series moved,
which way and by how much, so that it holds for the same event found again a sweep further on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import insert, select

from harness.errors import StoreError, did_you_mean
from harness.model import utc_now
from harness.model.identity import digest
from harness.store.audit import actor, note
from harness.store.rows import checked_for, json_text
from harness.store.schema import triage
from harness.store.store import Store

STATES = ("new", "acknowledged", "expected", "fixed", "ignored")
"""``new`` alarms; ``acknowledged`` is known and to be fixed; ``expected`` is meant so; ``fixed`` is
made good; ``ignored`` is no matter."""


@dataclass(frozen=True)
class TriagedMove:
    """One series of an event, as it was when something was said of it."""

    series: str
    """Key of the series (of other tools' results too)."""
    metric: str
    """Which figure of it."""
    direction: int
    """+1: it rose; −1: it fell."""
    ratio: float | None
    """New level over the one before; None where that was zero or the signs differ."""


@dataclass(frozen=True)
class TriageEntry:
    """Something that was said of an event."""

    event: str
    """Key of the event."""
    sweep: str
    """The first sweep at the new level."""
    at: str
    """When it was said, ISO 8601 UTC."""
    actor: str
    """user@host who said it."""
    state: str
    """One of STATES."""
    note: str
    """Why, in words."""
    links: tuple[str, ...]
    """Issues, pull requests, logs."""
    moves: tuple[TriagedMove, ...]
    """What moved."""


def add_triage(
    store: Store,
    event: str,
    sweep: str,
    state: str,
    note_: str = "",
    links: Sequence[str] = (),
    moves: Sequence[TriagedMove] = (),
) -> TriageEntry:
    """Say something of an event; what was said before is kept.

    Raises:
        StoreError: no such state, a link that is no URL, or text that no store can keep.
    """
    if state not in STATES:
        raise StoreError(f"state {state!r} is none. {did_you_mean(state, STATES)}")
    for link in links:
        if not link.startswith(("http://", "https://")) or len(link.split()) != 1:
            raise StoreError(f"link {link!r} is no URL: it begins with https:// or http://")
    entry = TriageEntry(
        event, sweep, utc_now(), actor(), state, note_.strip(), tuple(links), tuple(moves)
    )
    row = {
        **{name: getattr(entry, name) for name in ("event", "sweep", "at", "actor", "state")},
        "note": entry.note,
        "links": json_text(list(entry.links), "links"),
        "moves": json_text([asdict(move) for move in entry.moves], "moves"),
    }
    with store.writing() as connection:
        connection.execute(insert(triage), checked_for(triage, row | {"key": digest(row)}))
        note(connection, "triage", f"event {event}", entry.note, state=state, sweep=sweep)
    return entry


def triage_entries(store: Store) -> list[TriageEntry]:
    """Everything that was said, the oldest first."""
    columns = [triage.c[name] for name in TriageEntry.__dataclass_fields__]
    with store.reading() as connection:
        rows = connection.execute(select(*columns).order_by(triage.c.at, triage.c.id)).mappings()
        return [
            TriageEntry(
                **dict(row)
                | {
                    "links": tuple(json.loads(row["links"])),
                    "moves": tuple(TriagedMove(**move) for move in json.loads(row["moves"])),
                }
            )
            for row in rows
        ]
