"""What has no number, and why: failed and skipped cells by kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.lines import label_room
from dashboards.formats import listing

TITLE = "Failed and skipped"


def reasons(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells without a result, grouped: columns status, kernel, reason, cells, example."""
    bad = frame[frame["status"] != "ok"]
    groups = bad.groupby(["status", "label", "reason"], dropna=False, sort=False)
    rows = [
        (str(status), kernel, str(reason), len(cells), str(cells["problem"].iloc[-1]))
        for (status, kernel, reason), cells in groups
    ]
    out = pd.DataFrame(rows, columns=["status", "kernel", "reason", "cells", "example"])
    skipped_last = out["status"] == "skipped"
    return (
        out.assign(_s=skipped_last)
        .sort_values(["_s", "cells", "kernel"], ascending=[True, False, True])
        .drop(columns="_s")
        .reset_index(drop=True)
    )


def failures(cells: pd.DataFrame, *, kernels: Sequence[str] | None = None) -> Any:
    """The chart of ``cells``. ``kernels`` is taken for symmetry: the colour is the status here."""
    frame = tidy.prepare(cells)
    if frame.empty:
        return theme.message(TITLE, "Nothing measured yet. attnbench run experiment=quickstart")
    grouped = reasons(frame)
    if grouped.empty:
        return theme.message(TITLE, "Nothing failed and nothing was skipped.")
    statuses = [s for s in theme.STATUS if s in set(grouped["status"])]
    rows = [
        {**row, "word": row["status"].replace("_", " "), "order": statuses.index(row["status"])}
        for row in tidy.records(grouped)
    ]
    order = list(grouped.groupby("kernel")["cells"].sum().sort_values(ascending=False).index)
    words = [s.replace("_", " ") for s in statuses]
    colour = alt.Color(
        "word:N",
        title="Status",
        scale=alt.Scale(domain=words, range=[theme.STATUS[s] for s in statuses]),
    )
    bars = (
        alt.Chart(theme.inline(rows))
        .mark_bar(height={"band": 0.62}, stroke=theme.LIGHT["background"], strokeWidth=1)
        .encode(
            x=alt.X(
                "cells:Q", title="Cells", axis=alt.Axis(tickMinStep=1, tickCount=6, format=",d")
            ),
            y=alt.Y("kernel:N", title=None, sort=order, axis=alt.Axis(labelLimit=150)),
            color=colour,
            order=alt.Order("order:Q"),
            detail="reason:N",
            tooltip=[
                alt.Tooltip("kernel:N", title="Kernel"),
                alt.Tooltip("word:N", title="Status"),
                alt.Tooltip("reason:N", title="Reason"),
                alt.Tooltip("cells:Q", title="Cells"),
                alt.Tooltip("example:N", title="For example"),
            ],
        )
        .properties(width=560, height=34 * len(order) + 10)
    )
    return theme.finish(
        bars,
        title=TITLE,
        subtitle="Cells without a result, by kernel; a segment for each reason.",
        description=f"Bar chart of the number of failed and skipped cells of {listing(order)}, "
        f"stacked by status: {listing(words)}.",
        layout={
            "panels": 1,
            "panel_width": 240,
            "columns": 1,
            "chrome": label_room(order),
            "legend_entry": 120,
        },
    )
