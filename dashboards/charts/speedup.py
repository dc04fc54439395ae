"""Speed-up over a baseline as a heatmap: who wins where, and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.axes import SHORT_LENGTH
from dashboards.charts.lines import label_room, panels
from dashboards.charts.rows import link
from dashboards.formats import count, is_missing, listing

SHORT = {
    "skipped": "skip",
    "incorrect": "wrong",
    "invalid": "invalid",
    "out_of_memory": "OOM",
    "timeout": "timeout",
    "error": "error",
    "crashed": "crash",
    "lost": "lost",
}
"""What a cell without a number says."""


def speedup(
    cells: pd.DataFrame, *, baseline: str | None = None, kernels: Sequence[str] | None = None
) -> Any:
    """The chart of ``cells`` over ``baseline`` (``tidy.baseline`` chooses where None)."""
    frame = tidy.prepare(cells)
    baseline = tidy.baseline(frame, baseline)
    title = f"Speed-up over {baseline}" if baseline else "Speed-up"
    if baseline is None:
        return theme.message(title, "Nothing measured yet. attnbench run experiment=quickstart")
    ratios = tidy.speedups(frame, baseline)
    if ratios["speedup"].notna().sum() == 0:
        return theme.message(title, f"No kernel was measured on the same problems as {baseline}.")
    everywhere = len(tidy.panels(ratios))
    found = ratios.loc[ratios["speedup"].notna(), "panel"].unique()
    ratios = ratios[ratios["panel"].isin(found)]
    rows = _rows(ratios)
    order = _order(ratios)
    names = tidy.panels(ratios)
    lengths = sorted({int(n) for n in ratios["length"]})
    x = alt.X(
        "length:O",
        title="Sequence length (tokens)",
        sort=lengths,
        axis=alt.Axis(labelAngle=0, labelOverlap=False, labelExpr=SHORT_LENGTH),
    )
    y = alt.Y("kernel:N", title=None, sort=order, axis=alt.Axis(labelLimit=150, labelOverlap=False))
    chart = panels(_layers(x, y, rows), rows, names, height=30 * len(order))
    return theme.finish(
        chart,
        title=title,
        subtitle=f"Time of {baseline} over time of the kernel, same problem, same device. "
        "Hatched: no number, the word says why." + _left_out(everywhere - len(names), baseline),
        description=f"Heatmap of the speed-up of {listing(order)} over {baseline} by sequence "
        f"length, on a log colour scale centred on 1; a panel each for {listing(names)}.",
        layout={
            "panels": len(names),
            "panel_width": max(240, 44 * len(lengths)),
            "widest": max(200, 110 * len(lengths)),
            "least": max(200, 41 * len(lengths)),
            "columns": 2,
            "chrome": label_room(order),
        },
    )


def _left_out(panels: int, baseline: str) -> str:
    if not panels:
        return ""
    return f" {count(panels, 'panel')} not drawn: {baseline} has no number there."


def _rows(ratios: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for cell in tidy.records(ratios):
        row = {"panel": cell["panel"], "kernel": cell["label"], "length": int(cell["length"])}
        row |= {"problem": cell["problem"], "status": str(cell["status"]).replace("_", " ")}
        value = cell["speedup"]
        if is_missing(value):
            row |= {"note": cell["note"], "text": SHORT.get(str(cell["status"]), "no base")}
        else:
            row |= {"log2": float(f"{math.log2(value):.4g}"), "text": _times(value)}
            row["speedup"] = float(f"{value:.4g}")
            if not is_missing(cell["speedup_low"]):
                row["low"] = float(f"{cell['speedup_low']:.4g}")
                row["high"] = float(f"{cell['speedup_high']:.4g}")
            row["latency"] = float(f"{cell['latency_ms']:.4g}")
            if not is_missing(cell["href"]):
                row["href"] = cell["href"]
        rows.append(row)
    return rows


def _times(value: float) -> str:
    return f"{value:.0f}×" if value >= 20 else f"{value:.1f}×" if value >= 2 else f"{value:.2f}×"


def _order(ratios: pd.DataFrame) -> list[str]:
    """Fastest on (geometric) average first; kernels without any number last."""
    logs = ratios["speedup"].map(lambda v: math.log(v) if v > 0 else math.nan)
    means = logs.groupby(ratios["label"]).mean()
    return list(means.sort_values(ascending=False, na_position="last").index)


def _layers(x: alt.X, y: alt.Y, rows: list[dict[str, Any]]) -> list[Any]:
    reach = max([1.0, *(abs(r["log2"]) for r in rows if "log2" in r)])
    look = theme.LIGHT
    scale = alt.Scale(
        domain=[-reach, 0, reach],
        range=[look["slow"], look["neutral"], look["fast"]],
        interpolate="lab",
    )
    legend = alt.Legend(
        title="Speed-up (log scale)",
        labelExpr="format(pow(2, datum.value), '.2~r') + '×'",
        gradientLength=220,
        values=_legend_values(reach),
    )
    colour = alt.Color("log2:Q", scale=scale, legend=legend)
    tips = [
        alt.Tooltip("kernel:N", title="Kernel"),
        alt.Tooltip("problem:N", title="Problem"),
        alt.Tooltip("speedup:Q", title="Speed-up (×)", format=",.3~r"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("latency:Q", title="Latency (ms)", format=",.3~r"),
        alt.Tooltip("status:N", title="Status"),
    ]
    ends = "format(datum.low, '.3~r') + '–' + format(datum.high, '.3~r') + '×'"
    interval = f"isValid(datum.low) ? {ends} : 'unknown'"
    known = (
        alt.Chart().transform_filter("isValid(datum.log2)").transform_calculate(interval=interval)
    )
    missing = alt.Chart().transform_filter("!isValid(datum.log2)")
    why = [tips[0], tips[1], tips[5], alt.Tooltip("note:N", title="Reason")]
    strong = alt.when(f"abs(datum.log2) > {0.45 * reach}").then(alt.value(look["background"]))
    return [
        missing.mark_rect(fill=_hatch(), stroke=look["background"]).encode(x, y, tooltip=why),
        missing.mark_text(fontSize=10, color=look["muted"]).encode(
            x, y, text="text:N", tooltip=why
        ),
        known.mark_rect(stroke=look["background"]).encode(
            x, y, colour, tooltip=tips, **link(rows, tips)
        ),
        known.mark_text(fontSize=11.5, fontWeight=600).encode(
            x,
            y,
            text="text:N",
            color=strong.otherwise(alt.value(look["ink"])),
            tooltip=tips,
            **link(rows, tips),
        ),
    ]


def _legend_values(reach: float) -> list[int]:
    step = max(1, math.ceil(reach / 3))
    side = list(range(step, int(reach) + 1, step))
    return [-v for v in reversed(side)] + [0, *side]


def _hatch() -> alt.Gradient:
    """Diagonal stripes, as hard stops of a gradient: Vega has no patterns."""
    stripes = 9
    a, b = theme.LIGHT["hatch"], theme.LIGHT["background"]
    stops = []
    for i in range(stripes):
        colour = a if i % 2 else b
        stops += [
            alt.GradientStop(offset=i / stripes, color=colour),
            alt.GradientStop(offset=(i + 1) / stripes, color=colour),
        ]
    return alt.LinearGradient(gradient="linear", stops=stops, x1=0, y1=0, x2=1, y2=1)
