"""Events with what was said of them: which still alarm, and which were made good.

    found = study(store)
    for one in triaged(found.events, triage_entries(store)):
        print(one.event.key, one.state, len(one.alarming))

An entry holds for the event of its key, and for any move of a series that it names, the same way at
about the same place: an event found again when more is known may begin a sweep earlier or later.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.history.events import Event
from harness.analysis.history.moves import NEAR, Move
from harness.store.triage import TriagedMove, TriageEntry

SILENT = ("acknowledged", "expected", "fixed", "ignored")
"""States in which an event doesn't alarm."""
PATIENCE = 5
"""Points at the bad level after which a fix that somebody told of isn't believed any more."""


@dataclass(frozen=True, eq=False)
class Triaged:
    """An event and what was said of it."""

    event: Event
    """The event."""
    state: str
    """new, acknowledged, expected, fixed or ignored. ``new`` where part of it is; ``fixed`` as soon
    as all of it is made good, unless it was expected or ignored."""
    entries: tuple[TriageEntry, ...]
    """What was said, the oldest first."""
    alarming: tuple[Move, ...]
    """Moves for the worse that nobody spoke of and that aren't made good."""
    fixed_at: str
    """When the last of it was measured to be made good, ISO 8601 UTC; "" where it isn't."""
    doubted: bool
    """It was said to be fixed, and what was measured since says that it isn't."""

    @property
    def note(self) -> str:
        """The newest note."""
        return next((one.note for one in reversed(self.entries) if one.note), "")

    @property
    def links(self) -> tuple[str, ...]:
        """All links, the first given first."""
        return tuple(dict.fromkeys(link for one in self.entries for link in one.links))


def triaged(events: Iterable[Event], entries: Sequence[TriageEntry]) -> list[Triaged]:
    """Each event with its entries, in the order of ``events``."""
    by_event: dict[str, list[TriageEntry]] = defaultdict(list)
    by_series: dict[tuple[str, str, int], list[TriageEntry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda one: one.at):
        by_event[entry.event].append(entry)
        for moved in entry.moves:
            by_series[moved.series, moved.metric, moved.direction].append(entry)
    return [_triaged(event, by_event, by_series) for event in events]


def moves_to_keep(event: Event) -> list[TriagedMove]:
    """What an entry remembers of an event."""
    return [
        TriagedMove(
            move.track.series_key,
            move.track.metric,
            move.change.direction,
            None if math.isnan(move.change.ratio) else move.change.ratio,
        )
        for move in event.moves
    ]


def accepted(
    entries: Sequence[TriageEntry], after: str, until: str
) -> Mapping[tuple[str, str, int], tuple[TriageEntry, float]]:
    """By (series, metric, direction), what is known between two sweeps, and how far it moved.

    That is the newest entry, where its state isn't ``new`` or ``fixed``, and the product of the
    ratios of all such events after sweep ``after``, up to sweep ``until`` (ids sort by time).
    """
    newest: dict[tuple[str, str, int], dict[str, tuple[TriageEntry, float | None]]]
    newest = defaultdict(dict)
    for entry in sorted(entries, key=lambda one: one.at):
        if after < entry.sweep <= until:
            for moved in entry.moves:
                key = moved.series, moved.metric, moved.direction
                newest[key][entry.event] = entry, moved.ratio
    out = {}
    for key, events in newest.items():
        known = [(e, r) for e, r in events.values() if e.state in SILENT and e.state != "fixed"]
        if known and all(ratio is not None for _, ratio in known):
            out[key] = known[-1][0], math.prod(ratio or 1.0 for _, ratio in known)
    return out


def _triaged(
    event: Event,
    by_event: Mapping[str, Sequence[TriageEntry]],
    by_series: Mapping[tuple[str, str, int], Sequence[TriageEntry]],
) -> Triaged:
    own = by_event.get(event.key, ())
    said: dict[int, TriageEntry] = {id(entry): entry for entry in own}
    alarming: list[Move] = []
    states: list[str] = []
    doubted = False
    for move in event.moves:
        spoken = list(own) or _of_move(move, by_series)
        said.update((id(entry), entry) for entry in spoken)
        newest = max(spoken, key=lambda one: one.at, default=None)
        state = newest.state if newest is not None else "new"
        if move.verdict == "worse":
            states.append(state)
        if move.verdict != "worse" or move.fixed_at is not None:
            continue
        still = state == "fixed" and newest is not None and _points_after(move, newest.at)
        doubted |= bool(still and still >= PATIENCE)
        if state not in SILENT or (still and still >= PATIENCE):
            alarming.append(move)
    ordered = tuple(sorted(said.values(), key=lambda one: one.at))
    state = ordered[-1].state if ordered else "new"
    if "new" in states and any(one != "new" for one in states):
        state = "new"  # part of it was never spoken of
    if event.fixed and state in ("new", "acknowledged"):
        state = "fixed"
    return Triaged(event, state, ordered, tuple(alarming), event.fixed_at, doubted)


def _of_move(
    move: Move, by_series: Mapping[tuple[str, str, int], Sequence[TriageEntry]]
) -> list[TriageEntry]:
    """Entries that name the move's series and direction at a sweep near it."""
    track = move.track
    key = track.series_key, track.metric, move.change.direction
    found = []
    for entry in by_series.get(key, ()):
        position = track.position.get(entry.sweep)
        if position is None:
            continue
        places = np.searchsorted(track.known, [position, move.first_bad])
        if abs(int(places[0]) - int(places[1])) <= NEAR:
            found.append(entry)
    return found


def _points_after(move: Move, moment: str) -> int:
    """Points of the move's track that were measured after a moment."""
    track = move.track
    return sum(track.at[i] > moment for i in track.known if i >= move.first_bad)
