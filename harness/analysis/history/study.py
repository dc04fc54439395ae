"""The history of a store: every series' moves, grouped to events.

from harness.analysis.history.read import Filters
from harness.analysis.history.study import study

with open_store("results/attnbench.db", read_only=True) as store:
    found = study(store, ["latency_ms"], Filters(kernel="sdpa_*"))
for event in found.events:
    print(event.at, len(event.worse), [cause.text for cause in event.causes])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.history.events import Event, group
from harness.analysis.history.figures import historic, with_history
from harness.analysis.history.moves import Move, moves_of
from harness.analysis.history.read import Filters, read_tracks
from harness.analysis.history.read_external import read_external_tracks
from harness.analysis.history.track import Track
from harness.analysis.metrics import metric_named
from harness.analysis.query import Names
from harness.analysis.since import parse_since
from harness.errors import ConfigError
from harness.store import Store

WATCHED = ("latency_ms", "peak_memory_mb", "energy_j", "max_error")
"""Metrics that are looked at where none is asked for: the rest follow from them."""


@dataclass(frozen=True)
class History:
    """What became of a store's series."""

    tracks: tuple[Track, ...]
    """Every series and metric looked at."""
    moves: tuple[Move, ...]
    """Every move of them, series by series."""
    events: tuple[Event, ...]
    """The moves by moment, the newest first; only those since the moment asked for."""
    short: tuple[Track, ...]
    """Tracks with too few points to tell anything."""

    @property
    def judged(self) -> int:
        """Tracks with enough points."""
        return len(self.tracks) - len(self.short)

    @property
    def late(self) -> int:
        """Points of the series that arrived after later ones of their host."""
        return sum({track.series_key: track.late for track in self.tracks}.values())

    @property
    def steady(self) -> int:
        """Tracks with enough points that never moved."""
        return self.judged - len({id(move.track) for move in self.moves})


def study(
    store: Store,
    metrics: Sequence[str] = (),
    which: Filters | None = None,
    *,
    since: str | None = None,
    min_effect: float | None = None,
) -> History:
    """The history of the kernels' results.

    ``metrics`` are names (default: WATCHED, those that are recorded). All of history, back to each
    series' baseline, is looked at; ``since`` (a date, or an age such as 7d) leaves out older
    events. ``min_effect`` replaces the metrics' own least relevant effect.

    Raises:
        ConfigError: no such metric, a filter that names nothing here, or ``since`` unreadable.
        StoreError: the database can't be read.
    """
    names = metrics or [name for name in WATCHED if name in historic()]
    tracks = read_tracks(
        store, [with_history(metric_named(name)) for name in names], which or Filters()
    )
    return history_of(tracks, since=since, min_effect=min_effect)


def study_externals(
    store: Store,
    benchmark: Names = None,
    *,
    since: str | None = None,
    min_effect: float | None = None,
) -> History:
    """The history of what other tools measured; raises as ``study`` does."""
    tracks = read_external_tracks(store, benchmark)
    return history_of(tracks, since=since, min_effect=min_effect)


def history_of(
    tracks: Sequence[Track], *, since: str | None = None, min_effect: float | None = None
) -> History:
    """The history of these tracks; ``since`` and ``min_effect`` as for ``study``."""
    if min_effect is not None and not 0 < min_effect < 1:
        raise ConfigError(f"min_effect={min_effect} isn't between 0 and 1 (0.02 is 2 %)")
    moment = parse_since(since) if since is not None else ""
    moves: list[Move] = []
    short = []
    for track in tracks:
        found = moves_of(track, min_effect=min_effect)
        if found is None:
            short.append(track)
        else:
            moves += found
    events = [event for event in group(moves, tracks) if event.at >= moment]
    return History(tuple(tracks), tuple(moves), tuple(events[::-1]), tuple(short))
