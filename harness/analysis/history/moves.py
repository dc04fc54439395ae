"""Moves: where a track's level changed, for better or worse, and what changed around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.analysis.history.detect import ALPHA, ChangePoint, detect_changes
from harness.analysis.history.facts import BOARD, Difference, differences, unchanged
from harness.analysis.history.track import Track

NEAR = 2
"""A change point found this many points off its place still belongs to it."""
SAME_BOARD = 10
"""Points looked back over for one of the same board, whose surroundings compare."""
USUAL = 0.5
"""A fact that changes between more than this share of the points explains nothing."""
LEAST_POINTS = 4
"""Points below which no change can be told."""


@dataclass(frozen=True, eq=False)
class Move:
    """One change of a track's level."""

    track: Track
    """What moved."""
    change: ChangePoint
    """Where, which way, by how much, with its interval and p."""
    last_good: int
    """Position of the last point before it."""
    differences: tuple[Difference, ...]
    """What changed around it, the likely cause first; without what changes all the time."""
    same: tuple[str, ...]
    """Names of the facts that stayed."""
    offset: int
    """Points between the change point and those differences; 0: they coincide."""
    fixed_at: int | None
    """Position from which a worsening is made good; None where it isn't, or is none."""

    @property
    def first_bad(self) -> int:
        """Position of the first point at the new level."""
        return self.change.index

    @property
    def verdict(self) -> str:
        """``worse``, ``better``, or ``moved`` where nobody knows which way is good."""
        if self.track.higher_is_better is None:
            return "moved"
        return "better" if (self.change.direction > 0) == self.track.higher_is_better else "worse"

    @property
    def sweep(self) -> str:
        """The first sweep at the new level."""
        return self.track.sweeps[self.first_bad]

    @property
    def at(self) -> str:
        """When that was measured, ISO 8601 UTC."""
        return self.track.at[self.first_bad]

    @property
    def cause(self) -> Difference | None:
        """The likeliest difference."""
        return next((one for one in self.differences if one.is_cause), None)


def moves_of(
    track: Track, *, min_effect: float | None = None, alpha: float = ALPHA
) -> list[Move] | None:
    """The moves of a track, in order; None where it has too few points to tell."""
    known = track.known
    if len(known) < LEAST_POINTS:
        return None
    if np.ptp(track.values[known]) == 0:  # bytes and errors mostly repeat exactly
        return []
    least = track.least_effect if min_effect is None else min_effect
    several = len(set(track.boards)) > 1
    groups = list(track.boards) if several else None
    changes = detect_changes(track.values, min_effect=least, groups=groups, alpha=alpha)
    return [_move(track, changes, number, least) for number in range(len(changes))]


def _move(track: Track, changes: list[ChangePoint], number: int, least: float) -> Move:
    change = changes[number]
    known = track.known
    place = int(np.searchsorted(known, change.index))
    found, same, offset = _around(track, place)
    fixed = _fixed_at(track, changes, number, least)
    return Move(track, change, int(known[place - 1]), found, same, offset, fixed)


def _around(track: Track, place: int) -> tuple[tuple[Difference, ...], tuple[str, ...], int]:
    """Differences at the boundary before ``place`` among the known points, else the nearest ones
    that have a cause; and what stayed the same there."""
    at_boundary = _unusual(track, place)
    if any(one.is_cause for one in at_boundary):
        return at_boundary, _same(track, place), 0
    for offset in sorted(range(-NEAR, NEAR + 1), key=lambda o: (abs(o), o)):
        if 0 < place + offset < len(track.known):
            found = _unusual(track, place + offset)
            if any(one.is_cause for one in found):
                return found, _same(track, place + offset), offset
    return at_boundary, _same(track, place), 0


def compared(track: Track, place: int) -> tuple[int, int]:
    """The two points whose surroundings tell what changed before the known point ``place``.

    The earlier one is of the same board where that was seen lately: surroundings are the host's.
    """
    known = track.known
    after = int(known[place])
    for earlier in range(place - 1, max(-1, place - 1 - SAME_BOARD), -1):
        if track.boards[known[earlier]] == track.boards[after]:
            return int(known[earlier]), after
    return int(known[place - 1]), after


def _same(track: Track, place: int) -> tuple[str, ...]:
    before, after = compared(track, place)
    return tuple(unchanged(track.facts[before], track.facts[after]))


def _unusual(track: Track, place: int) -> tuple[Difference, ...]:
    before, after = compared(track, place)
    found = differences(track.facts[before], track.facts[after])
    if any(one.name == BOARD for one in found) and len(set(track.boards[:after])) > 1:
        found = [one for one in found if one.name != BOARD]  # several boards: their offsets are out
    return tuple(one for one in found if not one.is_cause or _rate(track, one.name) <= USUAL)


def _rate(track: Track, name: str) -> float:
    """Between which share of neighbouring points a fact changes."""
    values = [track.facts[i].get(name, "") for i in track.known]
    changes = sum(a != b for a, b in pairwise(values))
    return changes / max(1, len(values) - 1) if len(values) > LEAST_POINTS else 0.0


def _fixed_at(track: Track, changes: list[ChangePoint], number: int, least: float) -> int | None:
    change = changes[number]
    if track.higher_is_better is None or (change.direction > 0) == track.higher_is_better:
        return None
    for later in changes[number + 1 :]:
        if later.direction != change.direction and _as_good(track, later.after, change, least):
            return later.index
    return None


def _as_good(track: Track, level: float, change: ChangePoint, least: float) -> bool:
    """Whether a level is back at what it was before a change, up to the least effect."""
    if level > 0 and change.before > 0:
        away = math.log(level / change.before)
    else:
        away = (level - change.before) / (abs(change.before) or 1.0)
    return away >= -least if track.higher_is_better else away <= least
