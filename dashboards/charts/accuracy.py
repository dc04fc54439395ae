"""Error of every kernel against the fp64 oracle, beside what low-precision rounding alone costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.axes import length_axis, value_axis
from dashboards.charts.lines import CROSS, legend_entry, panels
from dashboards.charts.rows import Data, Quantity, link, part, plain, tooltips, values_of
from dashboards.formats import SCIENTIFIC, is_missing, listing

TITLE = "Error against the fp64 oracle"
ERROR = Quantity(
    column="max_error",
    name="Largest error, |out − oracle|",
    shared=False,
    form=SCIENTIFIC,
    also={
        "baseline_max_error": ("Error of torch in this dtype", SCIENTIFIC),
        "rmse_ratio": ("RMSE ratio", SCIENTIFIC),
        "reason": ("Reason", ""),
    },
)


def accuracy(cells: pd.DataFrame, *, kernels: Sequence[str] | None = None) -> Any:
    """The chart of ``cells``; ``kernels`` are all that the page shows, for their colours."""
    frame = tidy.prepare(cells)
    measured = frame[frame["max_error"].astype(float) > 0]
    if measured.empty:
        return theme.message(TITLE, "No cell has an error above 0 against the oracle.")
    shown = list(kernels or tidy.kernels(frame))
    names = tidy.panels(measured)
    rows = [_row(cell) for cell in tidy.records(measured)] + _rounding(measured)
    data = Data(rows, sorted({int(n) for n in measured["length"]}), top=12, strip=0)
    chart = panels(_layers(shown, data), rows, names, height=data.height)
    return theme.finish(
        chart.resolve_scale(y="independent"),
        title=TITLE,
        subtitle="Dashed: torch in the same dtype on the same inputs. × wrong, so not timed. "
        "Each panel has its own scale.",
        description="Line chart of the largest absolute error against a double-precision oracle "
        f"over sequence length in tokens, both on log axes, for {listing(shown)}; a panel each "
        f"for {listing(names)}.",
        layout={
            "panels": len(names),
            "panel_width": 320,
            "columns": 3,
            "chrome": 78,
            "chrome_each": 58,
            "legend_entry": legend_entry(shown),
        },
    )


def _layers(kernels: Sequence[str], data: Data) -> list[Any]:
    x, y = length_axis(data.lengths), value_axis("max_error", ERROR, data)
    colour, shape = theme.kernel_colour(kernels), theme.kernel_shape(kernels)
    dashed = {"strokeDash": [5, 4], "strokeWidth": 1.5, "color": theme.LIGHT["muted"]}
    there = {row["part"] for row in data.rows}
    tips = tooltips(ERROR, data.rows)
    layers = []
    if "rounding" in there:
        lonely = {"color": theme.LIGHT["muted"], "shape": "stroke", "size": 120}
        point = lonely if len(data.lengths) == 1 else False
        layers.append(part("rounding").mark_line(**dashed, point=point).encode(x, y))
    if "value" in there:
        layers.append(part("value").mark_line(strokeWidth=1.5, opacity=0.5).encode(x, y, colour))
        right = values_of(ERROR, "value").mark_point(filled=True, size=52, opacity=1)
        layers.append(right.encode(x, y, colour, shape, tooltip=tips, **link(data.rows, tips)))
    if "wrong" in there:
        wrong = values_of(ERROR, "wrong").mark_point(
            shape=CROSS, size=90, strokeWidth=2.5, opacity=1
        )
        layers.append(wrong.encode(x, y, colour, tooltip=tips))
    return layers


def _row(cell: dict[str, Any]) -> dict[str, Any]:
    row = {"panel": cell["panel"], "kernel": cell["label"], "length": int(cell["length"])}
    row |= {"problem": cell["problem"], "status": str(cell["status"]).replace("_", " ")}
    row["part"] = "value" if cell["status"] == "ok" else "wrong"
    known = {name: cell.get(name) for name in ("max_error", *ERROR.also, "href")}
    return row | {k: plain(v) for k, v in known.items() if not is_missing(v) and v != ""}


def _rounding(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """What rounding costs, a line a panel: the median over kernels, whose inputs are the same."""
    known = frame[frame["baseline_max_error"].astype(float) > 0].copy()
    known["baseline_max_error"] = known["baseline_max_error"].astype(float)
    middle = known.groupby(["panel", "length"], sort=False)["baseline_max_error"].median()
    return [
        {
            "panel": row["panel"],
            "length": int(row["length"]),
            "part": "rounding",
            "max_error": plain(row["baseline_max_error"]),
        }
        for row in tidy.records(middle.reset_index())
    ]
