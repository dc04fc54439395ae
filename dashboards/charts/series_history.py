"""Series over time: a small panel each, with levels, change points, and what surrounded them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.lines import panels as in_panels
from dashboards.charts.rows import plain
from dashboards.formats import SIGNIFICANT, count
from harness.analysis.history.facts import HASHES, Facts, differences, short
from harness.analysis.history.moves import Move
from harness.analysis.history.track import Track

TITLE = "Series over time"
MOST = 12
"""Panels that are drawn."""
MOST_POINTS = 400
"""Points of a panel that are drawn, the newest."""
WORSE, BETTER, MOVED = "#d55e00", "#00805e", "#0072b2"
_QUIET = ("host", "board", "kernel commit", "attnbench commit")
"""Facts whose change is no rule: they change all the time, or change nothing by themselves."""


def series_history(
    tracks: Sequence[Track],
    moves: Sequence[Move],
    intervals: pd.DataFrame | None,
    excluded: pd.DataFrame | None,
    resets: pd.DataFrame,
) -> Any:
    """The chart of some tracks of one metric. ``intervals``, ``excluded`` and ``resets`` are those
    of harness.analysis.history.marks; None where the metric has none."""
    names = _names(tracks)
    rows: list[dict[str, Any]] = []
    for track in tracks:
        rows += _points(track, names[id(track)], intervals)
        rows += _levels(track, names[id(track)], [m for m in moves if m.track is track])
        rows += _environment(track, names[id(track)])
    rows += _said(tracks, names, excluded, resets)
    if not any(row["part"] == "point" for row in rows):
        return theme.message(TITLE, "No series has a value.")
    first = tracks[0]
    unit = f" ({first.unit})" if first.unit else ""
    title = first.metric.removesuffix(f"_{first.unit}").replace("_", " ").capitalize() + unit
    panels = [names[id(track)] for track in tracks]
    chart = in_panels(_layers(title, rows), rows, panels, height=190)
    chart = chart.resolve_scale(x="shared", y="independent")
    return theme.finish(
        chart,
        title=TITLE,
        subtitle="What moved last comes first. Lines: level between changes. Triangles: a change "
        "for the worse, or the better, with its size. Dashed: software changed; dotted: the "
        "baseline was reset. Hollow crosses: excluded.",
        description=f"Small multiples of {first.metric} over time for "
        f"{count(len(tracks), 'series').replace('seriess', 'series')}, with "
        f"{count(len(moves), 'change point')}.",
        layout={
            "panels": len(panels),
            "panel_width": 320,
            "columns": 3,
            "chrome": 70,
            "chrome_each": 62,
        },
    )


def _names(tracks: Sequence[Track]) -> dict[int, str]:
    """Unique headings of panels: kernel, then problem and the rest."""
    out: dict[int, str] = {}
    for track in tracks:
        labels = dict(track.labels)
        words = [labels.pop("kernel", ""), *labels.values()]
        name = " · ".join(word for word in words if word)
        out[id(track)] = name if name not in out.values() else f"{name} · {track.series_key[:8]}"
    return out


def _points(track: Track, panel: str, intervals: pd.DataFrame | None) -> list[dict[str, Any]]:
    ends: dict[tuple[str, str], tuple[float, float]] = {}
    if intervals is not None:
        mine = intervals[intervals["series_key"] == track.series_key]
        ends = {
            (r["sweep_id"], r["board"]): (r["low_ms"], r["high_ms"]) for r in tidy.records(mine)
        }
    rows = []
    for i in track.known[-MOST_POINTS:]:
        row = {
            "part": "point",
            "panel": panel,
            "at": _moment(track.at[i]),
            "value": plain(track.values[i]),
            "sweep": track.sweeps[i],
            "board": track.boards[i],
            "commit": short(track.commit(i))[:10] or "–",
        }
        low, high = ends.get((track.sweeps[i], track.boards[i]), (np.nan, np.nan))
        if np.isfinite(low) and np.isfinite(high):
            row |= {"low": plain(low), "high": plain(high)}
        rows.append(row)
    return rows


def _levels(track: Track, panel: str, moves: Sequence[Move]) -> list[dict[str, Any]]:
    """A line a segment, and a mark a change."""
    known = track.known
    values = track.values
    starts = [int(known[0]), *(move.first_bad for move in moves)] if len(known) else []
    rows: list[dict[str, Any]] = []
    for number, (start, end) in enumerate(pairwise([*starts, len(values)])):
        inside = [int(i) for i in known if start <= i < end]
        if not moves or not inside:
            continue
        level = moves[number].change.before if number < len(moves) else moves[-1].change.after
        stop = track.at[inside[-1]] if number == len(moves) else track.at[moves[number].first_bad]
        rows.append(
            {"part": "level", "panel": panel, "at": _moment(track.at[inside[0]]),
             "until": _moment(stop), "value": plain(level)}
        )  # fmt: skip
    for move in moves:
        ratio = move.change.ratio
        size = "" if np.isnan(ratio) else f"{(ratio - 1) * 100:+.1f} %".replace("-", "−")
        causes = [one.text for one in move.differences if one.is_cause]
        ends = [short(track.commit(i))[:10] for i in (move.last_good, move.first_bad)]
        rows.append(
            {
                "part": "change", "panel": panel, "at": _moment(move.at),
                "value": plain(move.change.after), "verdict": move.verdict, "size": size,
                "commits": "..".join(ends) if all(ends) else f"{move.sweep}",
                "changed": "; ".join(causes[:3]) or "nothing that is recorded",
            }
        )  # fmt: skip
    return rows


def _environment(track: Track, panel: str) -> list[dict[str, Any]]:
    """A rule where software or settings changed between neighbouring points of a board."""
    rows: list[dict[str, Any]] = []
    last: dict[str, Facts] = {}
    for i in track.known[-MOST_POINTS:]:
        board, facts = track.boards[i], track.facts[i]
        before = last.get(board)
        if before is not None and before is not facts:
            found = [d for d in differences(before, facts) if d.name not in _QUIET]
            words = [d.text for d in found if d.is_cause or d.name in HASHES]
            if words:
                rows.append(
                    {"part": "environment", "panel": panel, "at": _moment(track.at[i]),
                     "changed": "; ".join(words[:6])}
                )  # fmt: skip
        last[board] = facts
    return rows


def _said(
    tracks: Sequence[Track],
    names: dict[int, str],
    excluded: pd.DataFrame | None,
    resets: pd.DataFrame,
) -> list[dict[str, Any]]:
    of_key = {track.series_key: names[id(track)] for track in tracks}
    rows = [
        {"part": "reset", "panel": of_key[r["series_key"]], "at": _moment(r["starts_at"]),
         "changed": f"baseline reset: {r['reason']}"}
        for r in tidy.records(resets)
    ]  # fmt: skip
    if excluded is not None:
        known = excluded.dropna(subset=["latency_ms"])
        rows += [
            {"part": "excluded", "panel": of_key[r["series_key"]], "at": _moment(r["started_at"]),
             "value": plain(r["latency_ms"]), "sweep": r["sweep_id"],
             "changed": f"excluded: {r['reason']}"}
            for r in tidy.records(known)
        ]  # fmt: skip
    return rows


def _moment(text: str) -> str:
    return text[:19] + "Z"


def _layers(title: str, rows: list[dict[str, Any]]) -> list[Any]:
    there = {row["part"] for row in rows}
    x = alt.X("at:T", title="Measured (UTC)", axis=alt.Axis(grid=False, tickCount=4))
    axis = alt.Axis(tickCount=5, labelExpr="format(datum.value, ',.4~r')", minExtent=40)
    scale = alt.Scale(zero=False, nice=True, padding=18)
    y = alt.Y("value:Q", title=title, scale=scale, axis=axis)

    def part(name: str) -> Any:
        return alt.Chart().transform_filter(f"datum.part == '{name}'")

    def rule(name: str, dash: Sequence[float]) -> Any:
        mark = part(name).mark_rule(
            strokeDash=list(dash), strokeWidth=1.5, color=theme.LIGHT["muted"], opacity=0.8
        )
        return mark.encode(x=x, tooltip=[_when(), alt.Tooltip("changed:N", title="Changed")])

    layers = [
        rule(name, dash)
        for name, dash in (("environment", [5, 4]), ("reset", [1.5, 3]))
        if name in there
    ]
    points = part("point")
    tips = [
        _when(),
        alt.Tooltip("value:Q", title=title, format=SIGNIFICANT),
        alt.Tooltip("sweep:N", title="Sweep"),
        alt.Tooltip("commit:N", title="Commit"),
        alt.Tooltip("board:N", title="Board"),
    ]
    if any("low" in row for row in rows):
        ends = points.transform_filter("isValid(datum.low)").mark_rule(
            strokeWidth=1.2, color=MOVED, opacity=0.45
        )
        layers.append(
            ends.encode(x, alt.Y("low:Q", title=title, scale=scale, axis=axis), y2="high:Q")
        )
    layers.append(
        points.mark_point(filled=True, size=26, color=MOVED, opacity=0.8).encode(x, y, tooltip=tips)
    )
    if "level" in there:
        level = part("level").mark_rule(strokeWidth=2.2, color=theme.LIGHT["ink"])
        layers.append(level.encode(x, y, x2="until:T"))
    if "excluded" in there:
        cross = part("excluded").mark_point(
            shape="cross", filled=False, size=60, color=theme.LIGHT["muted"], strokeWidth=1.3
        )
        layers.append(
            cross.encode(x, y, tooltip=[*tips[:3], alt.Tooltip("changed:N", title="Excluded")])
        )
    if "change" in there:
        layers += _changes(part("change"), x, y)
    return layers


def _when() -> alt.Tooltip:
    return alt.Tooltip("at:T", title="Measured (UTC)", format="%Y-%m-%d %H:%M")


def _changes(change: Any, x: alt.X, y: alt.Y) -> list[Any]:
    verdicts = ["worse", "better", "moved"]
    colour = alt.Color(
        "verdict:N", legend=None, scale=alt.Scale(domain=verdicts, range=[WORSE, BETTER, MOVED])
    )
    shape = alt.Shape(
        "verdict:N",
        legend=None,
        scale=alt.Scale(domain=verdicts, range=["triangle-up", "triangle-down", "diamond"]),
    )
    tips = [
        _when(),
        alt.Tooltip("verdict:N", title="For the"),
        alt.Tooltip("size:N", title="By"),
        alt.Tooltip("commits:N", title="Commits"),
        alt.Tooltip("changed:N", title="Changed with it"),
    ]
    halo = {"stroke": theme.LIGHT["background"], "strokeWidth": 4, "strokeJoin": "round"}
    text = {"align": "left", "dx": 8, "dy": -9, "fontSize": 11.5, "fontWeight": 600}
    return [
        change.mark_point(filled=True, size=110, opacity=1).encode(
            x, y, colour, shape, tooltip=tips
        ),
        change.mark_text(**text, **halo).encode(x=x, y=y, text="size:N"),
        change.mark_text(**text).encode(x, y, colour, text="size:N"),
    ]
