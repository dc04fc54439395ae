"""GPUs over a reference GPU: a mark a problem, and their geometric mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from dashboards import theme, tidy
from dashboards.charts.axes import log_ticks
from dashboards.charts.lines import label_room
from dashboards.charts.lines import panels as in_panels
from dashboards.charts.rows import plain
from dashboards.formats import SIGNIFICANT, listing, ratio
from harness.analysis.hardware import Figure, Ratios

LINE = 40
"""Height of a GPU's line, px."""


def gpu_ratios(found: Ratios, figure: Figure, kernels: Mapping[tuple[str, str, str], str]) -> Any:
    """The chart; ``kernels`` are the fastest of each (problem, mode, GPU)."""
    title = f"{figure.title} over that of {found.reference}"
    others = [one for one in found.means if one.gpu != found.reference and one.problems]
    if not others:
        return theme.message(
            title, "It takes two GPUs with a problem in common. Run the same experiment on another."
        )
    shown = found.rows[(found.rows["gpu"] != found.reference) & (found.rows["ratio"] > 0)]
    rows: list[dict[str, Any]] = []
    for r in tidy.records(shown):
        row = {"part": "problem", "panel": r["dtype"], "gpu": r["gpu"], "ratio": plain(r["ratio"])}
        row |= {"problem": r["problem"], "value": plain(r["value"])}
        row["kernel"] = kernels.get((r["problem_key"], r["mode"], r["gpu"]), "")
        row["said"] = ratio(r["ratio"], r["low"], r["high"])
        rows.append(row)
    dtypes = list(dict.fromkeys(row["panel"] for row in rows))
    for one in others:
        for dtype in dtypes:
            mine = shown[(shown["gpu"] == one.gpu) & (shown["dtype"] == dtype)]["ratio"]
            if len(mine):
                mean = float(mine.prod() ** (1 / len(mine)))
                rows.append(
                    {"part": "mean", "panel": dtype, "gpu": one.gpu, "ratio": plain(mean),
                     "said": ratio(mean), "problem": f"geometric mean of {len(mine):,}"}
                )  # fmt: skip
    names = [one.gpu for one in others]
    numbers = [row["ratio"] for row in rows] + [1.0]
    axis = alt.Axis(
        values=log_ticks(min(numbers), max(numbers)), labelExpr="format(datum.value, ',.3~r') + '×'"
    )
    scale = alt.Scale(type="log", nice=False, padding=16, domain=[min(numbers), max(numbers)])
    better = "higher is better" if figure.higher_is_better else "lower is better"
    said = f"{figure.title} (×, {better})"
    x = alt.X("ratio:Q", title=said, scale=scale, axis=axis)
    y = alt.Y("gpu:N", title=None, sort=names, axis=alt.Axis(labelLimit=150))
    tips = [
        alt.Tooltip("gpu:N", title="GPU"),
        alt.Tooltip("problem:N", title="Problem"),
        alt.Tooltip("kernel:N", title="Fastest kernel"),
        alt.Tooltip("value:Q", title=f"{figure.title} {figure.unit}".strip(), format=SIGNIFICANT),
        alt.Tooltip("said:N", title="Over the reference (95 % interval)"),
    ]

    def part(name: str) -> Any:
        return alt.Chart().transform_filter(f"datum.part == '{name}'")

    equal = alt.Chart().transform_aggregate(n="count()").transform_calculate(one="1")
    mark = part("problem").mark_tick(thickness=2, size=16, color=theme.PALETTE[0], opacity=0.6)
    text = {"dy": -15, "fontSize": 11.5, "fontWeight": 600, "color": theme.LIGHT["ink"]}
    layers = [
        equal.mark_rule(strokeDash=[5, 4], color=theme.LIGHT["muted"]).encode(
            x=alt.X("one:Q", scale=scale, title=said, axis=axis)
        ),
        mark.encode(x, y, tooltip=tips),
        part("mean")
        .mark_point(filled=True, shape="diamond", size=110, opacity=1, color=theme.PALETTE[1])
        .encode(x, y, tooltip=[tips[0], tips[1], tips[4]]),
        part("mean").mark_text(**text).encode(x=x, y=y, text="said:N"),
    ]
    chart = in_panels(layers, rows, dtypes, height=LINE * len(names) + 8)
    return theme.finish(
        chart,
        title=title,
        subtitle="A mark for each problem, its fastest kernel on each GPU; a diamond is the "
        f"geometric mean. Dashed: {found.reference}.",
        description=f"Strip plot of {figure.title} over that of {found.reference} for "
        f"{listing(names)}, on a log axis; a panel each for {listing(dtypes)}.",
        layout={
            "panels": len(dtypes),
            "panel_width": 240,
            "columns": 2,
            "chrome": label_room(names),
            "chrome_each": label_room(names) if len(dtypes) > 1 else 0,
        },
    )
