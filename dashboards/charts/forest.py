"""Forest plot: a line each for the ratios of a comparison, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from dashboards import theme, tidy
from dashboards.charts.rows import plain
from dashboards.formats import count
from harness.analysis.compare.comparison import Comparison
from harness.analysis.compare.words import change, interval, verdict_text

TITLE = "Ratios with their intervals"
MOST = 60
"""Lines that are drawn, what matters first; the table has them all."""
LINE = 34
"""Height of a line, px: its name above its interval."""
WIDEST = 4.0
"""An interval is drawn so many times beyond the ratios at most; the table has its ends."""

VERDICTS = {
    "regressed": "#d55e00",
    "improved": "#00805e",
    "suspect": "#9a7500",
    "unknown": "#7d8590",
    "insufficient": "#7d8590",
    "unchanged": "#1a1f26",
}
_SHAPES = ("triangle-right", "triangle-left", "diamond", "circle", "cross", "square")


def forest(found: Comparison, names: Sequence[str]) -> Any:
    """The chart of a comparison; ``names`` are what its cells are about."""
    drawn = [
        (row, name)
        for row, name in zip(tidy.records(found.cells), names, strict=True)
        if 0 < row["ratio"] < math.inf
    ]
    if not drawn:
        return theme.message(TITLE, "No cell has a ratio; the table says why.")
    left_out = len(drawn) - MOST
    rows = _rows(drawn[:MOST])
    kinds = [kind for kind in VERDICTS if any(row["verdict"] == kind for row in rows)]
    ends = [row[k] for row in rows for k in ("ratio", "from", "to") if k in row]
    least = found.least_effect
    low, high = min([*ends, 1 - least]), max([*ends, 1 + least])
    scale = alt.Scale(type="log", domain=[plain(low), plain(high)], nice=False, padding=12)
    label = (
        "abs(datum.value - 1) < 1e-9 ? 'equal' : datum.value >= 3 || datum.value <= 0.34 ? "
        "'×' + format(datum.value, '.2~r') : format(datum.value - 1, '+.3~p')"
    )
    axis = alt.Axis(values=_ticks(low, high), labelExpr=label, orient="top", grid=True)
    better = "higher is better" if found.metric.higher_is_better else "lower is better"
    title = f"{found.metric.title}, B over A ({better})"
    x = alt.X("ratio:Q", title=title, scale=scale, axis=axis)
    height = LINE * len(rows) + 6
    y = alt.Y("up:Q", axis=None, scale=alt.Scale(domain=[0, height], range=[0, height]))
    colour = alt.Color(
        "verdict:N",
        title="Verdict",
        scale=alt.Scale(domain=kinds, range=[VERDICTS[k] for k in kinds]),
        legend=alt.Legend(),
    )
    shapes = [_SHAPES[list(VERDICTS).index(k)] for k in kinds]
    shape = alt.Shape("verdict:N", title="Verdict", scale=alt.Scale(domain=kinds, range=shapes))
    base = alt.Chart(theme.inline(rows))
    known = base.transform_filter("isValid(datum.from)")
    tips = [
        alt.Tooltip("name:N", title="What"),
        alt.Tooltip("verdict:N", title="Verdict"),
        alt.Tooltip("change:N", title="B over A"),
        alt.Tooltip("interval:N", title="95 % interval"),
    ]
    one = base.transform_aggregate(n="count()")
    band = one.transform_calculate(a=f"{1 - least}", b=f"{1 + least}").mark_rect(
        color=theme.LIGHT["grid"], opacity=0.75
    )
    layers = [
        band.encode(x=alt.X("a:Q", scale=scale, title=title), x2="b:Q"),
        one.transform_calculate(a="1")
        .mark_rule(color=theme.LIGHT["muted"], strokeWidth=1)
        .encode(x=alt.X("a:Q", scale=scale, title=title)),
        known.mark_rule(strokeWidth=2).encode(
            alt.X("from:Q", scale=scale, title=title), alt.X2("to:Q"), y, colour
        ),
        base.mark_point(filled=True, size=70, opacity=1).encode(x, y, colour, shape, tooltip=tips),
        base.mark_text(
            align="left",
            baseline="middle",
            fontSize=11.5,
            dy=-15,
            color=theme.LIGHT["ink"],
            stroke=None,
        ).encode(x=alt.value(4), y=y, text="said:N"),
    ]
    chart = alt.layer(*layers).properties(width=700, height=height)
    subtitle = (
        f"Grey: less than {least * 100:g} % either way, which counts as no change. What matters "
        "comes first."
    )
    if left_out > 0:
        subtitle += f" {count(left_out, 'line')} more in the table."
    return theme.finish(
        chart,
        title=TITLE,
        subtitle=subtitle,
        description=f"Forest plot of {count(len(rows), 'ratio')} of B over A with 95 % intervals, "
        f"on a log axis: {_told(rows)}.",
        layout={"panels": 1, "panel_width": 320, "columns": 1, "chrome": 20, "widest": 1100},
    )


def _rows(drawn: Sequence[tuple[dict[str, Any], str]]) -> list[dict[str, Any]]:
    ratios = [row["ratio"] for row, _ in drawn]
    least, most = min(*ratios, 1.0) / WIDEST, max(*ratios, 1.0) * WIDEST
    rows = []
    for place, (cell, name) in enumerate(drawn):
        verdict, said = verdict_text(cell), change(cell["ratio"])
        row = {"name": name, "verdict": verdict, "change": said, "ratio": plain(cell["ratio"])}
        row |= {"up": place * LINE + 26, "said": f"{name}  {said}"}
        ends = interval(cell["low"], cell["high"])
        row["interval"] = ends or "not known"
        if ends:
            row["from"], row["to"] = plain(max(cell["low"], least)), plain(min(cell["high"], most))
        rows.append(row)
    return rows


def _ticks(low: float, high: float) -> list[float]:
    """Round changes: percents near 1, factors far from it."""
    near = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
    span = max(high - 1, 1 - low)
    steps = [s for s in near if s >= span / 6][:3] or [0.5]
    values = {1.0}
    for step in steps[:1]:
        k = 1
        while 1 + k * step <= high * 1.02 and k < 8:
            values.add(round(1 + k * step, 6))
            k += 1
        k = 1
        while 1 - k * step >= low * 0.98 and k * step < 0.9 and k < 8:
            values.add(round(1 - k * step, 6))
            k += 1
    far = [2, 3, 5, 10, 20, 50, 100, 1000]
    if high > 3:
        values = {v for v in values if v <= 1} | {float(f) for f in far if f <= high}
    if low < 1 / 3:
        values = {v for v in values if v >= 1} | {round(1 / f, 6) for f in far if 1 / f >= low}
    return sorted(values)


def _told(rows: Sequence[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
    return ", ".join(f"{n} {kind}" for kind, n in counts.items())
