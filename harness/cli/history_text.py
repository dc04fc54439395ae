"""Histories, events and single series as text: what fits 80 columns, and Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.analysis.digits import digits
from harness.analysis.history.facts import BOARD, COMMIT, named, short
from harness.cli.lines import print_line

if TYPE_CHECKING:
    from harness.analysis.history.events import Event
    from harness.analysis.history.moves import Move
    from harness.analysis.history.study import History
    from harness.analysis.history.track import Track
    from harness.analysis.triage import Triaged

BARS = "▁▂▃▄▅▆▇█"
SPARKS = 60
"""Width of a sparkline."""
MOST_MOVES = 20
"""Moves of an event that are shown one by one."""
COLUMNS = ("event", "since", "moved", "by", "likely cause")


def print_history(
    found: History, states: Mapping[str, Triaged], markdown: bool, console: Console
) -> None:
    """A row an event, the newest first, and a line on what didn't move."""
    rows = [_row(event, states[event.key]) for event in found.events]
    if rows and markdown:
        console.print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", markup=False)
        for row in rows:
            cells = (cell.replace("|", "\\|").replace("\n", "; ") for cell in row)
            console.print(f"| {' | '.join(cells)} |", markup=False, soft_wrap=True)
    elif rows:
        table = Table(box=None, pad_edge=False)
        for name in COLUMNS:
            table.add_column(name, no_wrap=name in ("event", "since"), overflow="fold")
        for row, event in zip(rows, found.events, strict=True):
            style = "red" if states[event.key].alarming else None
            table.add_row(*map(escape, row), style=style)
        console.print(table)
    if markdown and rows:
        console.print()
    for line in summary(found):
        print_line(console, line, style="" if markdown else "dim")


def summary(found: History) -> list[str]:
    """What the table doesn't show, in words."""
    series = len({track.series_key for track in found.tracks})
    if not series:
        return ["no results match"]
    lines = [
        f"{_count(series, 'series')}, {_count(len(found.tracks), 'history', 'histories')}: "
        f"{found.judged - found.steady} moved, {found.steady} without a change to be seen, "
        f"{len(found.short)} too short to tell (fewer than 4 points)"
    ]
    if found.late:
        lines.append(
            f"{found.late} points arrived after later ones (a clock set back, or a merge); they "
            "stand by their time"
        )
    if found.events:
        lines.append(
            "one event in full: --event KEY; a series with its curve: --series KEY; to say what is "
            "known of an event: attnbench triage KEY --state acknowledged --note …"
        )
    return lines


def _count(number: int, what: str, several: str = "") -> str:
    return f"{number} {what if number == 1 else several or what}"


def _row(event: Event, said: Triaged) -> tuple[str, ...]:
    moved, by = [], []
    for moves, word in (
        (event.worse, "worse"),
        (event.better, "better"),
        (tuple(m for m in event.moves if m.verdict == "moved"), "moved"),
    ):
        if moves:
            moved.append(f"{len(moves)} {word}")
            by.append(_typical(moves))
    if event.fixed:
        moved.append(f"fixed {event.fixed_at[:10]}")
    if said.state not in ("new", "fixed") or said.doubted:
        moved.append("not fixed" if said.doubted else said.state)
    cause = _cause(event)
    what = _what(event.moves)
    why = "\n".join(filter(None, [cause, what, said.note]))
    return event.key[:8], _when(event.at), "\n".join(moved), "\n".join(by), why


def _typical(moves: Sequence[Move]) -> str:
    from harness.analysis.history.events import ratio_of

    ratio = ratio_of(moves)
    return "" if math.isnan(ratio) else percent(ratio)


def percent(ratio: float) -> str:
    """A ratio as people say it: +8.0 %, or a factor from 2 on."""
    if ratio >= 2 or ratio <= 0.5:
        return f"× {ratio:.3g}"
    return f"{(ratio - 1) * 100:+.1f} %"


def _cause(event: Event) -> str:
    if not event.causes:
        return "nothing that is recorded changed"
    first = event.causes[0]
    share = f"{first.moves} of {first.exposed} series with it moved"
    more = len(event.causes) - 1
    return f"{first.text} ({share}{f'; {more} more' if more else ''})"


def _what(moves: Sequence[Move]) -> str:
    metrics = named(dict.fromkeys(move.track.metric for move in moves), 3)
    first = [next(filter(None, move.track.labels.values()), "") for move in moves]
    kernels = [
        move.track.labels.get("kernel") or name for move, name in zip(moves, first, strict=True)
    ]
    counts = Counter(kernels).most_common()
    names = named([f"{n} ({c})" if len(moves) > 1 else n for n, c in counts], 3)
    return f"{metrics} of {names}"


def _when(moment: str) -> str:
    return moment[:16].replace("T", " ")


def print_event(event: Event, console: Console, said: Triaged | None = None) -> None:
    """One event in full: its causes, what was said of it, then its moves."""
    console.print(f"event {event.key} · {_when(event.at)} · sweep {event.sweep}", style="bold")
    for cause in event.causes:
        share = f"{cause.moves} of the {cause.exposed} series with it moved"
        print_line(console, f"{cause.text}: {share}", indent=2)
    if not event.causes:
        print_line(console, "nothing that is recorded changed for most of its series", indent=2)
    if event.fixed:
        print_line(console, f"made good: {_when(event.fixed_at)}", indent=2)
    if said is not None:
        print_said(said, console)
    for move in event.moves[:MOST_MOVES]:
        print_line(console, f"{move.track.title} ({move.track.series_key})")
        print_move(move, console)
    if len(event.moves) > MOST_MOVES:
        rest = len(event.moves) - MOST_MOVES
        console.print(f"and {rest} more (--format csv has all)", style="dim")


def print_said(said: Triaged, console: Console) -> None:
    """The state of an event, and everything that was said of it."""
    rest = f", {len(said.alarming)} series alarm" if said.alarming else ""
    print_line(console, f"state: {said.state}{rest}", indent=2)
    for entry in said.entries:
        words = ": ".join(filter(None, [entry.state, entry.note]))
        text = " ".join([f"{_when(entry.at)} {entry.actor}: {words}", *entry.links])
        print_line(console, text, indent=4)
    if said.doubted:
        print_line(console, "said to be fixed, but what was measured since is as bad", indent=4)


def print_move(move: Move, console: Console) -> None:
    """A move with its interval, its two ends, and what changed between them."""
    track, change = move.track, move.change
    levels = f"{digits(change.before)} → {digits(change.after)} {track.unit}".rstrip()
    sure = f" ({_range(move)}), p {change.p:.1g}" if not math.isnan(change.ratio) else ""
    size = "" if math.isnan(change.ratio) else f" {percent(change.ratio)}"
    print_line(console, f"{move.verdict}: {track.metric}{size}{sure}: {levels}", indent=2)
    for word, index in (("last good", move.last_good), ("first bad", move.first_bad)):
        ends = "" if move.verdict == "worse" else word
        label = {"last good": "before", "first bad": "since"}[word] if ends else word
        commit = f", commit {short(track.commit(index))}" if track.commit(index) else ""
        where = f"{_when(track.at[index])}, sweep {track.sweeps[index]}{commit}"
        print_line(console, f"{label}: {where}", indent=4)
    shown = [one.text for one in move.differences if one.is_cause]
    aside = f" ({abs(move.offset)} points {'before' if move.offset < 0 else 'after'} it)"
    print_line(
        console,
        f"changed: {', '.join(shown) or 'nothing that is recorded'}{aside if move.offset else ''}",
        indent=4,
    )
    same = [name for name in move.same if name not in (COMMIT, BOARD)]
    if same:
        print_line(console, f"the same: {named(same, 8)}", indent=4)
    if move.fixed_at is not None:
        print_line(console, f"made good: {_when(track.at[move.fixed_at])}", indent=4)


def _range(move: Move) -> str:
    low, high = (f"{(v - 1) * 100:+.1f}" for v in (move.change.low, move.change.high))
    return f"{low} to {high} %"


def print_track(track: Track, moves: Sequence[Move], console: Console) -> None:
    """One series: its curve in a line, its levels, its moves."""
    known = track.values[track.known]
    order = "commit" if track.by_commit else "time"
    console.print(f"{track.title} · {track.metric}", style="bold", markup=False)
    span = f"{_when(track.at[track.known[0]])} to {_when(track.at[track.known[-1]])}"
    print_line(
        console,
        f"series {track.series_key}: {_count(len(known), 'point', 'points')} by {order}, {span}",
        2,
    )
    console.print("  " + sparkline(known), markup=False)
    unit = track.unit or ""
    low, high, last = (digits(float(v)) for v in (known.min(), known.max(), known[-1]))
    print_line(console, f"least {low}, most {high}, newest {last} {unit}".rstrip(), 2)
    for move in moves:
        print_move(move, console)
    if not moves:
        few = len(known) < 4
        text = "too few points to tell (4 at least)" if few else "no change to be seen"
        print_line(console, text, 2)


def sparkline(values: np.ndarray, width: int = SPARKS) -> str:
    """Values as bars in a line, from the least to the most; medians where there are many."""
    if len(values) > width:
        parts = np.array_split(values, width)
        values = np.array([float(np.median(part)) for part in parts])
    low, high = float(values.min()), float(values.max())
    if high == low:
        return BARS[3] * len(values)
    steps = np.round((values - low) / (high - low) * (len(BARS) - 1)).astype(int)
    return "".join(BARS[step] for step in steps)
