"""Errors over time: inputs come from a seed, so an error moves only if the arithmetic did."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.axes import log_ticks
from dashboards.charts.lines import legend_entry
from dashboards.charts.lines import panels as in_panels
from dashboards.charts.rows import plain
from dashboards.formats import listing

TITLE = "Error over time"


def error_history(frame: pd.DataFrame) -> Any:
    """The chart of a frame with columns panel, kernel, problem, sweep_id, started_at, max_error,
    a row for each series and sweep."""
    frame = frame[frame["max_error"].astype(float) > 0] if len(frame) else frame
    if frame.empty or frame["sweep_id"].nunique() < 2:
        return theme.message(
            TITLE, "It takes two sweeps of the same cells. Run the sweep again, or merge a store."
        )
    rows = [
        {k: r[k] for k in ("panel", "kernel", "problem", "sweep_id")}
        | {"at": r["started_at"][:19] + "Z", "max_error": plain(r["max_error"])}
        for r in tidy.records(frame)
    ]
    names, shown = list(dict.fromkeys(frame["panel"])), sorted(set(frame["kernel"]))
    numbers = [row["max_error"] for row in rows]
    x = alt.X("at:T", title="Measured (UTC)", axis=alt.Axis(grid=False, tickCount=5))
    y = alt.Y(
        "max_error:Q",
        title="Largest error, |out − oracle|",
        scale=alt.Scale(type="log", nice=False, padding=10),
        axis=alt.Axis(
            values=log_ticks(min(numbers), max(numbers), shared=False),
            labelExpr="format(datum.value, '.1~e')",
            minExtent=36,
        ),
    )
    tips = [
        alt.Tooltip("kernel:N", title="Kernel"),
        alt.Tooltip("problem:N", title="Problem"),
        alt.Tooltip("at:T", title="Measured", format="%Y-%m-%d %H:%M"),
        alt.Tooltip("max_error:Q", title="Largest error", format=".2e"),
        alt.Tooltip("sweep_id:N", title="Sweep"),
    ]
    colour = theme.kernel_colour(shown)
    base = alt.Chart()
    layers = [
        base.mark_line(strokeWidth=1.5, interpolate="step-after").encode(x, y, colour),
        base.mark_point(filled=True, size=44, opacity=1).encode(
            x, y, colour, theme.kernel_shape(shown), tooltip=tips
        ),
    ]
    chart = in_panels(layers, rows, names, height=200).resolve_scale(y="independent")
    return theme.finish(
        chart,
        title=TITLE,
        subtitle="Of each kernel and dtype, the problem on which it is now furthest from plain "
        "torch. Inputs come from a seed: a step is a change of the arithmetic.",
        description="Line chart of the largest absolute error against the oracle over time, on a "
        f"log axis, for {listing(shown)}; a panel each for {listing(names)}.",
        layout={
            "panels": len(names),
            "panel_width": 320,
            "columns": 2,
            "chrome": 66,
            "chrome_each": 58,
            "legend_entry": legend_entry(shown),
        },
    )
