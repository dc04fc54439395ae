"""Events: moves of many series at one moment, taken together, with their likely cause.

Series of one sweep share its moment. A change point may be found a point or two off, so the moment
that most series moved at takes in those whose own place is near it. Events of one day that share
their cause (an upgrade on several machines) are one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from harness.analysis.history.facts import HASHES, Difference, differences, strength
from harness.analysis.history.moves import NEAR, Move, compared
from harness.analysis.history.track import Track
from harness.model.identity import digest

SHARED = 0.5
"""Share of an event's moves that a difference must be at to count as the event's cause."""
DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Cause:
    """A difference that many of an event's moves have in common."""

    difference: Difference
    """What changed; of hashes (kernel sources), the one of the first move."""
    moves: int
    """How many of the event's series it was at."""
    exposed: int
    """How many series it was at altogether, those included that didn't move."""

    @property
    def text(self) -> str:
        """In words."""
        return self.difference.text


@dataclass(frozen=True, eq=False)
class Event:
    """Series that moved together."""

    key: str
    """Names it; the same whichever of its series are looked at."""
    sweep: str
    """The first sweep at the new level, of most of its series."""
    at: str
    """When that was measured, ISO 8601 UTC."""
    moves: tuple[Move, ...]
    """Its moves, the largest first."""
    causes: tuple[Cause, ...]
    """What changed for its series, the likeliest first; empty where nothing recorded did."""

    @cached_property
    def worse(self) -> tuple[Move, ...]:
        """The moves for the worse."""
        return tuple(move for move in self.moves if move.verdict == "worse")

    @cached_property
    def better(self) -> tuple[Move, ...]:
        """The moves for the better."""
        return tuple(move for move in self.moves if move.verdict == "better")

    @property
    def fixed(self) -> bool:
        """Whether all that got worse was made good later."""
        return bool(self.worse) and all(move.fixed_at is not None for move in self.worse)

    @property
    def fixed_at(self) -> str:
        """When the last of it was made good, ISO 8601 UTC; "" where it isn't."""
        if not self.fixed:
            return ""
        return max(move.track.at[move.fixed_at] for move in self.worse if move.fixed_at is not None)


def ratio_of(moves: Sequence[Move]) -> float:
    """Geometric mean of the moves' ratios; NaN where none has one."""
    logs = [math.log(m.change.ratio) for m in moves if m.change.ratio > 0]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def group(moves: Iterable[Move], tracks: Sequence[Track]) -> list[Event]:
    """The events of all moves, the oldest first; ``tracks`` are all that were looked at."""
    left = sorted(moves, key=lambda move: (move.at, move.track.title, move.track.metric))
    found: list[list[Move]] = []
    while left:
        counts = Counter(move.sweep for move in left)
        most = max(counts.values())
        sweep = min(name for name, count in counts.items() if count == most)
        taken = _nearest_each(left, sweep)
        found.append(taken)
        chosen = set(map(id, taken))
        left = [move for move in left if id(move) not in chosen]
    events = [_event(taken, tracks) for taken in found]
    return _days(sorted(events, key=lambda event: (event.at, event.sweep)), tracks)


def _nearest_each(moves: Sequence[Move], sweep: str) -> list[Move]:
    """Of each track, its move nearest to a sweep, if near enough."""
    best: dict[int, tuple[int, Move]] = {}
    for move in moves:
        distance = _distance(move, sweep)
        if distance is not None and distance < best.get(id(move.track), (NEAR + 1, move))[0]:
            best[id(move.track)] = distance, move
    return [move for _, move in best.values()]


def _distance(move: Move, sweep: str) -> int | None:
    """How many points a move lies from a sweep; None where its track hasn't got that one."""
    if move.sweep == sweep:
        return 0
    position = move.track.position.get(sweep)
    if position is None:
        return None
    known = move.track.known
    return abs(int(np.searchsorted(known, position)) - int(np.searchsorted(known, move.first_bad)))


def _event(moves: Sequence[Move], tracks: Sequence[Track]) -> Event:
    counts = Counter(move.sweep for move in moves)
    most = max(counts.values())
    sweep = min(name for name, count in counts.items() if count == most)
    at = min(move.at for move in moves if move.sweep == sweep)
    ranked = sorted(moves, key=lambda m: (-_size(m), m.track.title, m.track.metric))
    causes = _causes(moves, tracks)
    return Event(digest(["event", sweep])[:12], sweep, at, tuple(ranked), tuple(causes))


def _size(move: Move) -> float:
    ratio = move.change.ratio
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def _name(difference: Difference) -> tuple[str, str, str]:
    """What makes two differences the same; of hashes the name alone: each kernel has its own."""
    if difference.name in HASHES:
        return difference.name, "", ""
    return difference.name, difference.before, difference.after


def _causes(moves: Sequence[Move], tracks: Sequence[Track]) -> list[Cause]:
    counts: Counter[tuple[str, str, str]] = Counter()
    one: dict[tuple[str, str, str], Difference] = {}
    for move in moves:
        for difference in move.differences:
            if difference.is_cause:
                counts[_name(difference)] += 1
                one.setdefault(_name(difference), difference)
    most = max(counts.values(), default=0)
    shared = [n for n, count in counts.items() if count >= SHARED * len(moves) or count == most]
    shared.sort(key=lambda name: (strength(name[0]), -counts[name], name))
    sweeps = {move.sweep for move in moves}
    metrics = {move.track.metric for move in moves}
    alike = [track for track in tracks if track.metric in metrics]
    exposed = _exposed(alike, sweeps) if shared else Counter()
    return [Cause(one[n], counts[n], max(exposed[n], counts[n])) for n in shared]


def _exposed(tracks: Sequence[Track], sweeps: set[str]) -> Counter[tuple[str, str, str]]:
    """How many tracks had each difference at one of these sweeps, moved or not."""
    counts: Counter[tuple[str, str, str]] = Counter()
    seen: dict[tuple[int, int], list[tuple[str, str, str]]] = {}
    for track in tracks:
        names: set[tuple[str, str, str]] = set()
        for sweep in sweeps & track.position.keys():
            place = int(np.searchsorted(track.known, track.position[sweep]))
            if 0 < place < len(track.known):
                before, after = (track.facts[i] for i in compared(track, place))
                pair = id(before), id(after)
                if pair not in seen:
                    seen[pair] = [_name(one) for one in differences(before, after)]
                names.update(seen[pair])
        counts.update(names)
    return counts


def _days(events: Sequence[Event], tracks: Sequence[Track]) -> list[Event]:
    """Events of one day with one likeliest cause put together."""
    out: list[Event] = []
    for event in events:
        for number, earlier in enumerate(out):
            if _same_day(earlier, event) and _first(earlier) == _first(event) is not None:
                joined = _event((*earlier.moves, *event.moves), tracks)
                # Keyed by the earlier: what was said of it holds for the rest.
                out[number] = replace(joined, key=earlier.key, at=earlier.at, sweep=earlier.sweep)
                break
        else:
            out.append(event)
    return out


def _first(event: Event) -> tuple[str, str, str] | None:
    return _name(event.causes[0].difference) if event.causes else None


def _same_day(one: Event, other: Event) -> bool:
    try:
        moments = [datetime.fromisoformat(event.at) for event in (one, other)]
    except ValueError:  # a record without a readable time is of no day
        return False
    return abs(moments[1] - moments[0]) < DAY
