"""What every chart over sequence length shares: points, line, interval, marks of what is missing.

One small panel for each workload and dtype (and direction, device … where several were measured),
wrapped into rows. Inside a panel, top left, a key of a line each: it says in the kernel's colour
what a legend can't, such as a fitted exponent. In a strip at the bottom edge, marks of the cells
that have no number: × failed, – not supported. With one length only, bars take the lines' place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.axes import length_axis, value_axis
from dashboards.charts.rows import (
    HEIGHT,
    Data,
    Keys,
    Quantity,
    data_rows,
    link,
    part,
    tooltips,
    values_of,
    why,
)

CROSS = "M-0.7,-0.7L0.7,0.7M0.7,-0.7L-0.7,0.7"
DASH = "M-0.8,0L0.8,0"


def over_length(
    frame: pd.DataFrame,
    quantity: Quantity,
    kernels: Sequence[str],
    *,
    title: str,
    subtitle: str,
    marks: str,
    description: str,
    keys: Keys | None = None,
    rules: Mapping[str, float] | None = None,
) -> Any:
    """The chart of ``quantity`` for a prepared ``frame``.

    ``title`` and ``description`` say "over sequence length", which becomes "at … tokens" where
    there is one; ``marks`` continues ``subtitle`` where there are several. ``keys`` are lines of
    text in the panels, ``rules`` a limit for each panel.
    """
    data = data_rows(frame, quantity, keys or {}, rules or {})
    if not any(row["part"] == "value" for row in data.rows):
        return theme.message(title, "No cell has a result; the failures say why.")
    single = len(data.lengths) == 1
    layers = _bars(quantity, kernels, data) if single else _lines(quantity, kernels, data)
    height = 26 * len(kernels) + 10 if single else data.height
    names = [p for p in tidy.panels(frame) if any(row["panel"] == p for row in data.rows)]
    chart = panels(layers, data.rows, names, height=height)
    if single:
        chart = chart.resolve_scale(x="independent")
        at = f"at {data.lengths[0]:,} tokens"
        title = title.replace("over sequence length", at)
        description = description.replace("over sequence length in tokens", at)
        description = description.replace("Line chart", "Bar chart").replace(
            ", both on log axes", ""
        )
    elif not quantity.shared:
        chart = chart.resolve_scale(y="independent")
    layout = {
        "panels": len(names),
        "panel_width": 220 if single else 320,
        "columns": 3,
        "chrome": label_room(kernels) if single else 66,
        "chrome_each": 0 if quantity.shared or single else 52,
        "legend_entry": legend_entry(kernels),
    }
    return theme.finish(
        chart,
        title=title,
        subtitle=" ".join([subtitle, *([] if single else [marks])]).strip(),
        description=description,
        layout=layout,
    )


def panels(layers: list[Any], rows: list[dict[str, Any]], names: list[str], height: int) -> Any:
    """Layers over the same rows, a panel for each of ``names``."""
    layered = alt.layer(*layers).properties(width=380, height=height)
    facet = alt.Facet("panel:N", sort=names, title=None)
    return layered.facet(data=theme.inline(rows), facet=facet, columns=min(2, len(names)))


def legend_entry(kernels: Sequence[str]) -> int:
    """Width of a legend's entry, px."""
    return 7 * min(37, max(map(len, kernels), default=0)) + 40


def label_room(kernels: Sequence[str]) -> int:
    """Width of axis labels that are kernels, px; 150 px is what the axis allows them."""
    return 22 + min(150, round(6.4 * max(map(len, kernels), default=0)))


def _lines(quantity: Quantity, kernels: Sequence[str], data: Data) -> list[Any]:
    picked = alt.selection_point(name="picked", fields=["kernel"], bind="legend")
    faded = alt.when(picked).then(alt.value(1)).otherwise(alt.value(0.12))
    x, y = length_axis(data.lengths), value_axis(quantity.column, quantity, data)
    colour = theme.kernel_colour(kernels)
    values = values_of(quantity)
    layers = [values.mark_line(strokeWidth=2).encode(x, y, colour, opacity=faded)]
    if quantity.low and any(quantity.low in row for row in data.rows):
        low = value_axis("from", quantity, data)
        known = part("value").transform_filter("isValid(datum.from)")
        ends = (x, low, alt.Y2("to:Q"), colour)
        band, ends_of = known.mark_area(opacity=0.2), known.mark_rule(strokeWidth=1.5)
        layers = [band.encode(*ends), ends_of.encode(*ends, opacity=faded), *layers]
    point = values.mark_point(filled=True, size=52).add_params(picked)
    shape = theme.kernel_shape(kernels)
    tips = tooltips(quantity, data.rows)
    layers.append(
        point.encode(x, y, colour, shape, opacity=faded, tooltip=tips, **link(data.rows, tips))
    )
    there = {row["part"] for row in data.rows}
    pixel = alt.Y("up:Q", scale=None, axis=None)
    for name, mark in (("failed", CROSS), ("skipped", DASH)):
        if name in there:
            missing = part(name).mark_point(shape=mark, strokeWidth=2, size=60, opacity=1)
            layers.append(missing.encode(x, pixel, colour, tooltip=why()))
    if "rule" in there:
        limit = {"strokeDash": [5, 4], "strokeWidth": 1.5, "color": theme.LIGHT["muted"]}
        rule = part("rule").mark_rule(**limit)
        layers.append(rule.encode(y=value_axis("rule", quantity, data)))
    layers = [*_grid(x, data), *layers]
    return [*layers, *_key(colour, pixel)] if "key" in there else layers


def _grid(x: alt.X, data: Data) -> list[Any]:
    """Lines at the lengths over the whole panel (an axis's own end with its range), and a line
    that parts the strip from the plot."""
    lengths = alt.Chart().transform_filter("isValid(datum.length)")
    lengths = lengths.transform_aggregate(n="count()", groupby=["length"])
    out = [lengths.mark_rule(color=theme.LIGHT["grid"]).encode(x)]
    if data.strip:
        edge = lengths.mark_rule(color=theme.LIGHT["line"], strokeDash=[2, 3])
        out.append(edge.encode(y=alt.value(data.top + HEIGHT + 1)))
    return out


def _key(colour: alt.Color, pixel: alt.Y) -> list[Any]:
    """Lines of text, top left: of a kernel in its colour, else muted; on a halo of background."""
    style = {"align": "left", "baseline": "middle", "fontSize": 11.5, "fontWeight": 600}
    halo = {"stroke": theme.LIGHT["background"], "strokeWidth": 4, "strokeJoin": "round"}
    place = {"x": alt.value(9), "y": pixel, "text": "text:N"}
    ours = part("key").transform_filter("datum.kernel != ''")
    note = part("key").transform_filter("datum.kernel == ''")
    return [
        part("key").mark_text(**style, **halo).encode(**place),
        ours.mark_text(**style).encode(colour, **place),
        note.mark_text(**style, color=theme.LIGHT["muted"]).encode(**place),
    ]


def _bars(quantity: Quantity, kernels: Sequence[str], data: Data) -> list[Any]:
    """One length: a bar for each kernel from 0, with its interval; a word where there is none."""
    y = alt.Y("kernel:N", title=None, sort=list(kernels), axis=alt.Axis(labelLimit=150))
    axis = alt.Axis(tickCount=5, format=quantity.form)
    x = alt.X(f"{quantity.column}:Q", title=quantity.name, scale=alt.Scale(zero=True), axis=axis)
    tips = tooltips(quantity, data.rows)
    values = values_of(quantity)
    bar = values.mark_bar(opacity=0.85, height={"band": 0.6})
    colour = theme.kernel_colour(kernels, legend=False)
    layers = [bar.encode(x, y, colour, tooltip=tips, **link(data.rows, tips))]
    if quantity.low and any(quantity.low in row for row in data.rows):
        low = alt.X("from:Q", title=quantity.name)
        ends = values.mark_rule(strokeWidth=2, color=theme.LIGHT["ink"])
        layers.append(ends.encode(low, alt.X2("to:Q"), y))
    word = part("failed", "skipped").mark_text(
        align="left", fontSize=11, color=theme.LIGHT["muted"]
    )
    return [*layers, word.encode(x=alt.value(4), y=y, text="status:N", tooltip=why())]
