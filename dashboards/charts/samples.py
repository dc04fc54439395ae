"""Samples of one measurement: in the order they were taken, and how they are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from dashboards import theme
from dashboards.charts.lines import panels as in_panels
from dashboards.charts.rows import plain
from dashboards.formats import count
from harness.model import Record

MOST = 4000
"""Samples that are drawn of each launch; of more, every n-th."""


def drawn(records: Sequence[Record]) -> list[dict[str, Any]]:
    """A row a sample: launch, place from 1, ms."""
    rows = []
    for record in records:
        step = max(1, -(-len(record.samples_ms) // MOST))
        name = launch_name(record)
        for i in range(0, len(record.samples_ms), step):
            rows.append({"panel": name, "place": i + 1, "ms": plain(record.samples_ms[i])})
    return rows


def launch_name(record: Record) -> str:
    """``launch 1``, or ``launch 1, attempt 2``: from 1, as people count."""
    again = f", attempt {record.attempt + 1}" if record.attempt else ""
    return f"launch {record.launch + 1}{again}"


def samples(records: Sequence[Record]) -> Any:
    """Every sample in its order, a panel a launch, with the launch's median."""
    title = "Samples in the order measured"
    rows = drawn(records)
    if not rows:
        return theme.message(title, "There are none: it failed, or its samples were pruned.")
    names = list(dict.fromkeys(row["panel"] for row in rows))
    base = alt.Chart()
    x = alt.X("place:Q", title="Sample", axis=alt.Axis(tickMinStep=1, format=",d", grid=False))
    y = alt.Y(
        "ms:Q",
        title="Latency (ms)",
        scale=alt.Scale(zero=False, padding=8),
        axis=alt.Axis(labelExpr="format(datum.value, ',.6~r')"),
    )
    tips = [
        alt.Tooltip("panel:N", title="Launch"),
        alt.Tooltip("place:Q", title="Sample", format=",d"),
        alt.Tooltip("ms:Q", title="Latency (ms)", format=",.5~r"),
    ]
    blue, muted = theme.PALETTE[0], theme.LIGHT["muted"]
    layers = [
        base.mark_line(strokeWidth=1, opacity=0.4, color=blue).encode(x, y),
        base.mark_point(filled=True, size=26, opacity=0.9, color=blue).encode(x, y, tooltip=tips),
        base.transform_aggregate(middle="median(ms)")
        .mark_rule(color=muted, strokeDash=[5, 4])
        .encode(y="middle:Q"),
    ]
    return theme.finish(
        in_panels(layers, rows, names, height=170),
        title=title,
        subtitle="Dashed: the launch's median. All panels have one scale.",
        description=f"Line chart of {count(len(rows), 'sample')} of latency in milliseconds in the "
        f"order measured; a panel for each of {count(len(names), 'launch')}.",
        layout={"panels": len(names), "panel_width": 260, "columns": 3, "chrome": 66},
    )


def distribution(records: Sequence[Record]) -> Any:
    """How the samples of all launches are distributed: a launch that differs stands apart."""
    title = "Distribution of the samples"
    rows = drawn(records)
    if not rows:
        return theme.message(title, "There are no samples to count.")
    names = list(dict.fromkeys(row["panel"] for row in rows))
    colours = [theme.PALETTE[i % len(theme.PALETTE)] for i in range(len(names))]
    bars = (
        alt.Chart(theme.inline(rows))
        .mark_bar(stroke=theme.LIGHT["background"], strokeWidth=0.5)
        .encode(
            x=alt.X(
                "ms:Q",
                title="Latency (ms)",
                bin=alt.Bin(maxbins=40),
                axis=alt.Axis(labelExpr="format(datum.value, ',.5~r')"),
            ),
            y=alt.Y("count():Q", title="Samples", axis=alt.Axis(tickMinStep=1, format=",d")),
            color=alt.Color(
                "panel:N", title="Launch", scale=alt.Scale(domain=names, range=colours)
            ),
            tooltip=[
                alt.Tooltip("panel:N", title="Launch"),
                alt.Tooltip("count():Q", title="Samples"),
            ],
        )
        .properties(width=560, height=200)
    )
    return theme.finish(
        bars,
        title=title,
        subtitle="",
        description=f"Histogram of latency in milliseconds of {count(len(rows), 'sample')}, "
        f"stacked by {count(len(names), 'launch')}.",
        layout={
            "panels": 1,
            "panel_width": 260,
            "columns": 1,
            "widest": 900,
            "chrome": 66,
            "legend_entry": 110,
        },
    )
