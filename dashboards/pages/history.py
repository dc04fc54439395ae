"""History: what got slower or faster, since when, and what changed with it?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dashboards.charts.series_history import MOST, series_history
from dashboards.content import Content, Section, Table, Tile
from dashboards.formats import MISSING, count, number
from dashboards.source import Source
from harness.analysis.history import marks
from harness.analysis.history.events import Event, ratio_of
from harness.analysis.history.facts import named, short
from harness.analysis.history.moves import Move
from harness.analysis.history.read import Filters
from harness.analysis.history.study import History, study
from harness.analysis.history.track import Track

TITLE = "History"
QUESTION = "What got slower or faster, since when, and what changed with it?"
PLACE = 4
CHARTS = ("series_history",)
LATENCY = "latency_ms"
EMPTY = "There is no history yet. Measure something with: attnbench run experiment=quickstart"
SHORT = (
    "A change can be told from four sweeps on. Run the same sweep again, by a nightly job for "
    "instance, or bring older results in: attnbench store merge, store import."
)
MOST_MOVES = 500
"""Moves that the table has."""


def build(source: Source) -> Content:
    """The history of the view's series in one figure, latency where none is asked for."""
    view = source.view
    if not source.kernels:
        return Content(EMPTY, [])
    which = Filters.of_view(view)
    found = study(source.store, [view.metric or LATENCY], which, since=view.since or None)
    if not found.tracks:
        return Content(EMPTY, [])
    drawn = chosen(found)
    keys = [track.series_key for track in drawn]
    latency = drawn[0].metric == LATENCY
    chart = series_history(
        drawn,
        [move for move in found.moves if move.track in drawn],
        marks.intervals(source.store, keys) if latency else None,
        marks.exclusions(source.store, keys) if latency else None,
        marks.resets(source.store, keys),
    )
    return Content(
        _lead(found),
        [
            Section(
                "series_history",
                "Series",
                _said(found, drawn),
                chart,
                _points(drawn),
                "points of the series that are drawn",
            ),
            Section(
                "events",
                "Events",
                "" if found.events else "None.",
                table=_events(found.events),
                title="Series that moved together",
                label="events",
            ),
            Section(
                "moves",
                "Changes",
                "" if found.moves else "None.",
                table=_moves(found),
                title="Every change, with its size and commits",
                label="change points",
            ),
        ],
        tiles=_tiles(found),
    )


def chosen(found: History) -> list[Track]:
    """The series to draw: those of the newest events, largest moves first; then quiet ones."""
    moved = [move.track for event in found.events for move in event.moves]
    long = sorted(found.tracks, key=lambda track: -len(track.known))
    unique = {id(track): track for track in [*moved, *long]}
    return list(unique.values())[:MOST]


def _lead(found: History) -> str:
    moved = found.judged - found.steady
    said = f"{count(len(found.tracks), 'series').replace('seriess', 'series')}: {moved:,} moved, "
    said += f"{found.steady:,} without a change to be seen, {len(found.short):,} too short to tell."
    return f"{said} {SHORT}" if not found.judged else said


def _said(found: History, drawn: Sequence[Track]) -> str:
    more = len(found.tracks) - len(drawn)
    said = f"{more:,} series more are not drawn: choose kernels, GPUs or dtypes. " if more else ""
    if found.late:
        said += f"{count(found.late, 'point')} arrived late and stand by their time."
    return said.strip()


def _tiles(found: History) -> list[Tile]:
    worse = sum(bool(event.worse) and not event.fixed for event in found.events)
    fixed = sum(event.fixed for event in found.events)
    better = sum(bool(event.better) for event in found.events)
    tiles = [Tile(f"{len(found.events):,}", "event" if len(found.events) == 1 else "events")]
    tiles.append(Tile(f"{worse:,}", "for the worse, not made good", "bad" if worse else "plain"))
    if fixed:
        tiles.append(Tile(f"{fixed:,}", "made good", "good"))
    return [*tiles, Tile(f"{better:,}", "for the better", "good" if better else "plain")]


def percent(ratio: float) -> str:
    """A ratio as people say it: +8.0 %, or a factor from 2 on."""
    if math.isnan(ratio):
        return MISSING
    if ratio >= 2 or ratio <= 0.5:
        return f"×{ratio:.3g}"
    return f"{(ratio - 1) * 100:+.1f} %".replace("-", "−")


def event_row(event: Event) -> list[str]:
    """When, how many moved which way and by how much, of what, and what changed with it."""
    moved = [f"{len(part):,} {word} ({percent(ratio_of(part))})" for part, word in _parts(event)]
    kernels = list(dict.fromkeys(m.track.labels.get("kernel", m.track.title) for m in event.moves))
    causes = [f"{c.text} ({c.moves} of {c.exposed} series with it moved)" for c in event.causes]
    return [
        event.key[:8],
        when(event.at),
        "; ".join(moved),
        named(kernels, 4),
        "; ".join(causes[:3]) or "nothing that is recorded changed",
        when(event.fixed_at) if event.fixed else "",
    ]


EVENT_COLUMNS = ["Event", "Since (UTC)", "Moved", "Kernels", "What changed with it", "Made good"]


def _parts(event: Event) -> list[tuple[Sequence[Move], str]]:
    other = [m for m in event.moves if m.verdict == "moved"]
    found = [(event.worse, "worse"), (event.better, "better"), (other, "moved")]
    return [(part, word) for part, word in found if part]


def _events(events: Sequence[Event]) -> Table:
    rows = [event_row(event) for event in events]
    return Table(EVENT_COLUMNS, rows, wide=frozenset({2, 3, 4}))


def when(moment: str) -> str:
    """A moment to the minute."""
    return moment[:16].replace("T", " ")


def _moves(found: History) -> Table:
    rows = []
    newest = sorted(found.moves, key=lambda move: move.at, reverse=True)
    for move in newest[:MOST_MOVES]:
        change, track = move.change, move.track
        sure = f"{percent(change.low)} to {percent(change.high)}"
        causes = [one.text for one in move.differences if one.is_cause]
        rows.append(
            [
                track.title,
                move.verdict,
                percent(change.ratio),
                MISSING if math.isnan(change.low) else sure,
                f"{number(change.before)} → {number(change.after)} {track.unit}".strip(),
                when(move.at),
                commits(move),
                "; ".join(causes[:4]) or MISSING,
                when(track.at[move.fixed_at]) if move.fixed_at is not None else "",
            ]
        )
    columns = ["Series", "Verdict", "Change", "95 % interval", "Level", "Since (UTC)"]
    columns += ["Commits", "What changed", "Made good"]
    return Table(columns, rows, frozenset({2, 3}), frozenset({0, 7}))


def commits(move: Move) -> str:
    """The range in which the change lies: last good to first bad; of sweeps outside git."""
    ends = [move.track.commit(i) for i in (move.last_good, move.first_bad)]
    if all(ends):
        return f"{short(ends[0])[:10]}..{short(ends[1])[:10]}"
    return f"{move.track.sweeps[move.last_good]} .. {move.sweep}"


def _points(drawn: Sequence[Track]) -> Table:
    rows = [
        [t.title, when(t.at[i]), t.sweeps[i], number(float(t.values[i])), short(t.commit(i))[:10]]
        for t in drawn
        for i in t.known
    ]
    unit = f", {drawn[0].unit}" if drawn[0].unit else ""
    name = drawn[0].metric.removesuffix(f"_{drawn[0].unit}").replace("_", " ")
    columns = ["Series", "Measured (UTC)", "Sweep", f"{name.capitalize()}{unit}", "Commit"]
    return Table(columns, rows, frozenset({3}))
