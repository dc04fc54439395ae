"""The state of the data: how old it is, what the matrix covers, which machines are noisy."""

from __future__ import annotations

from collections import Counter
from typing import Any

import altair as alt
import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.lines import label_room
from dashboards.charts.rows import plain
from dashboards.formats import listing

AGES = (("a day", 1), ("a week", 7), ("a month", 31), ("a quarter", 92), ("more", 10**6))
"""Classes of age, and the days that each reaches to."""
_AGE_COLOURS = (theme.PALETTE[2], theme.PALETTE[6], theme.PALETTE[0], theme.PALETTE[5])
COVERED = 40
"""Columns of the matrix that are drawn; the table has all."""


def age_class(days: float) -> str:
    """The first class that ``days`` fits into."""
    return next(name for name, most in AGES if days <= most)


def ages(frame: pd.DataFrame) -> Any:
    """Series by the age of their newest result; columns device, age_days."""
    title = "Age of each series' newest result"
    if frame.empty:
        return theme.message(title, "Nothing measured yet. attnbench run experiment=quickstart")
    names = [name for name, _ in AGES]
    counted = Counter(zip(frame["device"], frame["age_days"].map(age_class), strict=True))
    rows = [
        {"device": str(device), "age": age, "series": n, "order": names.index(age)}
        for (device, age), n in sorted(counted.items())
    ]
    devices = sorted({row["device"] for row in rows})
    bars = (
        alt.Chart(theme.inline(rows))
        .mark_bar(height={"band": 0.62}, stroke=theme.LIGHT["background"], strokeWidth=1)
        .encode(
            x=alt.X("series:Q", title="Series", axis=alt.Axis(tickMinStep=1, format=",d")),
            y=alt.Y("device:N", title=None, sort=devices, axis=alt.Axis(labelLimit=150)),
            color=alt.Color(
                "age:N",
                title="Up to",
                scale=alt.Scale(domain=names, range=[*_AGE_COLOURS, theme.PALETTE[1]]),
            ),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("device:N", title="Device"),
                alt.Tooltip("age:N", title="Not older than"),
                alt.Tooltip("series:Q", title="Series", format=",d"),
            ],
        )
        .properties(width=560, height=34 * len(devices) + 10)
    )
    return theme.finish(
        bars,
        title=title,
        subtitle="Counted back from the newest result in the store.",
        description="Bar chart of the number of series by the age of their newest result, for "
        f"{listing(devices)}.",
        layout=_layout(devices, 100),
    )


def coverage(frame: pd.DataFrame) -> Any:
    """How much of the matrix has a result: columns kernel, part, problems, ok, failed, skipped."""
    title = "Coverage of the matrix"
    if frame.empty:
        return theme.message(title, "Nothing measured yet. attnbench run experiment=quickstart")
    parts = list(dict.fromkeys(frame["part"]))
    kernels = sorted(set(frame["kernel"]))
    kept = frame[frame["part"].isin(parts[:COVERED])]
    rows = [
        row
        | {"share": plain(row["ok"] / row["problems"]), "text": f"{row['ok']}/{row['problems']}"}
        for row in tidy.records(kept)
    ]
    x = alt.X(
        "part:N",
        title="Workload · dtype",
        sort=parts,
        axis=alt.Axis(labelAngle=-40, labelLimit=220, orient="top", labelOverlap=False),
    )
    y = alt.Y("kernel:N", title=None, sort=kernels, axis=alt.Axis(labelLimit=150))
    look = theme.LIGHT
    colour = alt.Color(
        "share:Q",
        scale=alt.Scale(domain=[0, 1], range=[look["neutral"], look["fast"]], interpolate="lab"),
        legend=alt.Legend(title="Share with a result", format=".0%"),
    )
    tips = [
        alt.Tooltip("kernel:N", title="Kernel"),
        alt.Tooltip("part:N", title="Workload and dtype"),
        *(
            alt.Tooltip(f"{name}:Q", title=name.capitalize(), format=",d")
            for name in ("problems", "ok", "failed", "skipped")
        ),
    ]
    ink = alt.when("datum.share > 0.45").then(alt.value(look["background"]))
    base = alt.Chart(theme.inline(rows))
    chart = alt.layer(
        base.mark_rect(stroke=look["background"]).encode(x, y, colour, tooltip=tips),
        base.mark_text(fontSize=11).encode(
            x, y, text="text:N", color=ink.otherwise(alt.value(look["ink"])), tooltip=tips
        ),
    ).properties(width=560, height=26 * len(kernels))
    least = min(COVERED, len(parts)) * 44
    rest = (
        f" The first {COVERED} of {len(parts)}; the table has all." if len(parts) > COVERED else ""
    )
    return theme.finish(
        chart,
        title=title,
        subtitle="Problems with a result, of those that any kernel was asked for. Blank: never "
        f"asked for.{rest}",
        description=f"Heatmap of how many problems of each workload and dtype {listing(kernels)} "
        "has a result for.",
        layout=_layout(kernels, 0) | {"least": least, "widest": max(least, 110 * len(parts))},
    )


def noise(frame: pd.DataFrame) -> Any:
    """Width of the intervals by machine: columns machine, cells, p10, middle, p90, most."""
    title = "Noise by machine"
    if frame.empty:
        return theme.message(
            title, "No cell has an interval yet: that takes 6 samples, or two launches."
        )
    machines = list(frame.sort_values("middle", ascending=False)["machine"])
    rows = [
        {k: (plain(v) if k != "machine" else v) for k, v in row.items()}
        for row in tidy.records(frame)
    ]
    x = alt.X(
        "p10:Q",
        title="Half width of the 95 % interval over the latency",
        scale=alt.Scale(type="log", nice=True),
        axis=alt.Axis(format=".2~%", tickCount=6),
    )
    y = alt.Y("machine:N", title=None, sort=machines, axis=alt.Axis(labelLimit=150))
    tips = [
        alt.Tooltip("machine:N", title="Machine"),
        alt.Tooltip("cells:Q", title="Cells", format=",d"),
        *(
            alt.Tooltip(f"{c}:Q", title=t, format=".2~%")
            for c, t in (
                ("p10", "A tenth is below"),
                ("middle", "Median"),
                ("p90", "A tenth is above"),
                ("most", "Largest"),
            )
        ),
    ]
    base = alt.Chart(theme.inline(rows))
    chart = alt.layer(
        base.mark_bar(height={"band": 0.3}, opacity=0.45, color=theme.PALETTE[0]).encode(
            x, alt.X2("p90:Q"), y, tooltip=tips
        ),
        base.mark_tick(thickness=3, height={"band": 0.6}, color=theme.PALETTE[0]).encode(
            alt.X("middle:Q"), y, tooltip=tips
        ),
        base.mark_point(filled=True, size=40, color=theme.PALETTE[1], opacity=1).encode(
            alt.X("most:Q"), y, tooltip=tips
        ),
    ).properties(width=560, height=34 * len(machines) + 10)
    return theme.finish(
        chart,
        title=title,
        subtitle="Bar: the middle four fifths of a machine's cells; stroke: their median; point: "
        "the noisiest.",
        description="Bars of the relative width of the 95 % intervals, on a log axis, for "
        f"{listing(machines)}.",
        layout=_layout(machines, 0),
    )


def _layout(labels: list[str], legend_entry: int) -> dict[str, Any]:
    return {
        "panels": 1,
        "panel_width": 240,
        "columns": 1,
        "widest": 900,
        "chrome": label_room(labels),
        **({"legend_entry": legend_entry} if legend_entry else {}),
    }
