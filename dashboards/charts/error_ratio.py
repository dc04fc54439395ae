"""Every cell's error against what plain torch in the same dtype has: how far from its bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.axes import log_ticks
from dashboards.charts.lines import label_room
from dashboards.charts.lines import panels as in_panels
from dashboards.charts.rows import link, part, plain
from dashboards.formats import is_missing, listing

TITLE = "Error over that of plain torch"
BOUND = 2
"""Most that an attention kernel may have (FlashAttention's own tests hold it to this)."""


def error_ratio(cells: pd.DataFrame, *, kernels: Sequence[str] | None = None) -> Any:
    """The chart of ``cells``: a row a kernel, a panel a dtype, a mark a cell."""
    frame = tidy.prepare(cells)
    error, plain_torch = (frame[c].astype(float) for c in ("max_error", "baseline_max_error"))
    known = frame[(error > 0) & (plain_torch > 0)].copy()
    if known.empty:
        return theme.message(TITLE, "No cell has an error above 0 beside that of plain torch.")
    known["times"] = known["max_error"].astype(float) / known["baseline_max_error"].astype(float)
    known["panel"] = known["dtype"].astype(str)
    shown = list(kernels or sorted(set(known["label"])))
    rows = [_row(cell) for cell in tidy.records(known)]
    low, high = min(known["times"].min(), 1) / 1.2, max(known["times"].max(), BOUND) * 1.2
    x = alt.X(
        "times:Q",
        title="Largest error over plain torch's (×)",
        scale=alt.Scale(type="log", nice=False, domain=[plain(low), plain(high)]),
        axis=alt.Axis(values=log_ticks(low, high), labelExpr="format(datum.value, ',.6~r') + '×'"),
    )
    y = alt.Y("kernel:N", title=None, sort=shown, axis=alt.Axis(labelLimit=150))
    tips = [
        alt.Tooltip("kernel:N", title="Kernel"),
        alt.Tooltip("problem:N", title="Problem"),
        alt.Tooltip("times:Q", title="Times plain torch's error", format=".3~r"),
        alt.Tooltip("max_error:Q", title="Largest error", format=".1e"),
        alt.Tooltip("status:N", title="Status"),
    ]
    rule = part("value").transform_aggregate(n="count()").transform_calculate(bound=str(BOUND))
    look = {"strokeDash": [5, 4], "strokeWidth": 1.5, "color": theme.LIGHT["muted"]}
    marks = part("value").mark_tick(thickness=2, opacity=0.75, height={"band": 0.6})
    names = list(dict.fromkeys(known["panel"]))
    layers = [
        rule.mark_rule(**look).encode(x=alt.X("bound:Q")),
        marks.encode(
            x, y, theme.kernel_colour(shown, legend=False), tooltip=tips, **link(rows, tips)
        ),
    ]
    return theme.finish(
        in_panels(layers, rows, names, height=24 * len(shown) + 12),
        title=TITLE,
        subtitle="A mark for each cell; 1× is as exact as plain torch in the same dtype. Dashed: "
        f"{BOUND}×, the most that an attention kernel may have (recurrent operators have a rule "
        "of their own).",
        description=f"Strip plot of the largest error of {listing(shown)} over the error of plain "
        f"torch in the same dtype, on a log axis; a panel each for {listing(names)}.",
        layout={
            "panels": len(names),
            "panel_width": 260,
            "columns": 3,
            "chrome": label_room(shown),
        },
    )


def _row(cell: dict[str, Any]) -> dict[str, Any]:
    row = {"panel": cell["panel"], "part": "value", "kernel": cell["label"]}
    row |= {"problem": cell["problem"], "status": str(cell["status"]).replace("_", " ")}
    row |= {"times": plain(cell["times"]), "max_error": plain(cell["max_error"])}
    if not is_missing(cell.get("href")):
        row["href"] = cell["href"]
    return row
