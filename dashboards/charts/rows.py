"""From a prepared frame to the rows that a chart over length draws, told apart by ``part``.

value     a cell with a number
failed    a cell without one, at the bottom edge
skipped   the same, where the kernel doesn't support the problem
key       a line of text, top left in the panel
rule      a limit to compare with, such as the device's peak
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import pandas as pd

from dashboards import tidy
from dashboards.formats import MISSING, SIGNIFICANT, is_missing

HEIGHT = 250
"""Height of what a panel plots, px."""

KEY_LINE = 14
"""Height of a line of the key, px."""

Keys = Mapping[str, Sequence[tuple[str, str]]]
"""Panel → lines of its key, each (kernel or "", text)."""


@dataclass(frozen=True)
class Quantity:
    """What a chart draws over length."""

    column: str
    """Column of the value."""
    name: str
    """Axis title, with its unit."""
    low: str = ""
    """Column of the interval's lower end; "" for none."""
    high: str = ""
    """Column of the interval's upper end."""
    log: bool = True
    """Log axis (values of 0 or less are left out), else linear from 0."""
    shared: bool = True
    """All panels on one scale."""
    form: str = SIGNIFICANT
    """d3 format of the value."""
    also: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """More columns for the tooltip: column → (title, d3 format, "" for text)."""

    def drawable(self, value: Any) -> bool:
        """It is a number that the axis can show."""
        return not is_missing(value) and (float(value) > 0 or not self.log)


@dataclass(frozen=True)
class Data:
    """Rows, and the room they need."""

    rows: list[dict[str, Any]]
    """What the chart draws."""
    lengths: list[int]
    """Lengths that have a value (all, where none has), sorted."""
    top: int
    """Room above the plot for keys that would lie on lines, px."""
    strip: int
    """Room below the plot for marks of what is missing, px."""

    @property
    def height(self) -> int:
        """Height of a panel, px."""
        return self.top + HEIGHT + self.strip


def data_rows(
    frame: pd.DataFrame, quantity: Quantity, keys: Keys, rules: Mapping[str, float]
) -> Data:
    """Rows of every part for a prepared ``frame``."""
    values, missed = [], []
    above: dict[tuple[str, int], int] = {}
    wanted = [quantity.column, quantity.low, quantity.high, *quantity.also, "href"]
    wanted = [c for c in wanted if c and c in frame]
    for cell in tidy.records(frame):
        row = {"panel": cell["panel"], "kernel": cell["label"], "length": int(cell["length"])}
        row |= {"problem": cell["problem"], "status": str(cell["status"]).replace("_", " ")}
        if cell["status"] == "ok" and quantity.drawable(cell[quantity.column]):
            row |= {c: plain(cell[c]) for c in wanted if not is_missing(cell[c]) and cell[c] != ""}
            values.append(row | {"part": "value"})
        elif cell["status"] != "ok":
            place = (cell["panel"], row["length"])
            above[place] = above.get(place, -1) + 1
            row |= {"part": cell["outcome"], "reason": cell["reason"], "up": above[place]}
            missed.append(row)
    _cut(values, quantity)
    most = max(above.values(), default=-1) + 1
    step = min(12.0, 84 / max(1, most))
    top = _room(values, quantity, keys, rules)
    for row in missed:
        row["up"] = round(top + HEIGHT + 9 + step * row["up"], 1)
    shown = list(dict.fromkeys(row["panel"] for row in [*values, *missed]))
    lines = [
        {"panel": panel, "part": "key", "kernel": kernel, "text": text, "up": 13 + KEY_LINE * i}
        for panel in shown
        for i, (kernel, text) in enumerate(keys.get(panel, ()))
    ]
    limits = [{"panel": p, "part": "rule", "rule": plain(rules[p])} for p in shown if p in rules]
    lengths = sorted({row["length"] for row in values or missed})
    strip = round(9 + step * most) if most else 0
    return Data([*values, *missed, *lines, *limits], lengths, top, strip)


def _cut(values: list[dict[str, Any]], quantity: Quantity) -> None:
    """Add ``from`` and ``to``, what is drawn of each interval: no further than twice beyond the
    panel's values. Two launches that disagree give an interval without end (Student's t with one
    degree of freedom), which would press all values into one line; tooltips keep its true ends."""
    by_panel: dict[str, list[float]] = {}
    for row in values:
        by_panel.setdefault(row["panel"], []).append(row[quantity.column])
    for row in values:
        if quantity.low in row and quantity.high in row:
            numbers = by_panel[row["panel"]]
            row["from"] = plain(max(row[quantity.low], min(numbers) / 2))
            row["to"] = plain(min(row[quantity.high], max(numbers) * 2))


def plain(value: Any) -> Any:
    """A JSON number of six significant digits; text as it is."""
    return value if isinstance(value, str) else float(f"{float(value):.6g}")


def _room(
    values: list[dict[str, Any]], quantity: Quantity, keys: Keys, rules: Mapping[str, float]
) -> int:
    """Room the keys need above the plot: what their text would otherwise lie on, left half."""
    if not values or not keys:
        return 12
    numbers = {p: [r[quantity.column] for r in values if r["panel"] == p] for p in keys}
    everything = [v for vs in numbers.values() for v in vs]
    lengths = [r["length"] for r in values]
    middle = math.sqrt(min(lengths) * max(lengths))
    need = 12.0
    for panel, lines in keys.items():
        left = [r[quantity.column] for r in values if r["panel"] == panel and r["length"] <= middle]
        left += [rules[panel]] if panel in rules else []
        if not left or not lines:
            continue
        scale = everything if quantity.shared else [*numbers[panel], rules.get(panel, 0)]
        taken = _share(max(left), scale, log=quantity.log) * HEIGHT
        need = max(need, KEY_LINE * len(lines) + 14 - (HEIGHT - taken))
    return round(min(need, KEY_LINE * max(map(len, keys.values())) + 14))


def _share(value: float, scale: list[float], *, log: bool) -> float:
    """Where ``value`` lies between the bottom (0) and the top (1) of a scale over these values."""
    if not log:
        return value / max(scale) if max(scale) > 0 else 0.0
    positive = [v for v in scale if v > 0]
    span = math.log(max(positive) / min(positive))
    return math.log(value / min(positive)) / span if span else 0.5


def tooltips(quantity: Quantity, rows: list[dict[str, Any]]) -> list[alt.Tooltip]:
    """Tooltip of a value: which kernel on which problem, the value with its interval, the rest.

    What no row knows is left out; ``values_of`` makes the texts.
    """
    tips = [
        alt.Tooltip("kernel:N", title="Kernel"),
        alt.Tooltip("problem:N", title="Problem"),
        alt.Tooltip(f"{quantity.column}:Q", title=quantity.name, format=quantity.form),
    ]
    if quantity.low and any(quantity.low in row for row in rows):
        tips.append(alt.Tooltip("interval:N", title="95 % interval"))
    for column, (title, _) in quantity.also.items():
        if any(column in row for row in rows):
            tips.append(alt.Tooltip(f"tip_{column}:N", title=title))
    return [*tips, alt.Tooltip("status:N", title="Status")]


def link(rows: list[dict[str, Any]], tips: list[alt.Tooltip]) -> dict[str, Any]:
    """The channel that leads from a mark to its result, where there are pages of results; and what
    a screen reader says of the mark, which would be the address too if Vega-Lite were to choose."""
    if not any("href" in row for row in rows):
        return {}
    return {"href": alt.Href("href:N"), "description": spoken(tips)}


def spoken(tips: list[alt.Tooltip]) -> Any:
    """A mark's description: what its tooltip says."""
    parts = []
    told: Any = [tip.to_dict() for tip in tips]
    for tip in told:
        value = f"datum[{json.dumps(tip['field'])}]"
        text = f"format({value}, '{tip['format']}')" if "format" in tip else value
        parts.append(f"{json.dumps(tip['title'] + ': ')} + {text}")
    return alt.DescriptionValue({"expr": " + '; ' + ".join(parts)})


def why() -> list[alt.Tooltip]:
    """Tooltip of a cell without a value."""
    titles = {"kernel": "Kernel", "problem": "Problem", "status": "Status", "reason": "Reason"}
    return [alt.Tooltip(f"{name}:N", title=title) for name, title in titles.items()]


def part(*names: str) -> Any:
    """A layer's chart with only the rows of these parts."""
    return alt.Chart().transform_filter(alt.FieldOneOfPredicate(field="part", oneOf=list(names)))


def values_of(quantity: Quantity, *names: str) -> Any:
    """``part`` (of the values, or of ``names``) with the texts its tooltip shows."""
    texts = {}
    if quantity.low:
        low, high = f"datum['{quantity.low}']", f"datum['{quantity.high}']"
        ends = f"format({low}, '{quantity.form}') + '–' + format({high}, '{quantity.form}')"
        texts["interval"] = f"isValid({low}) ? {ends} : '{MISSING}'"
    for column, (_, form) in quantity.also.items():
        value = f"datum['{column}']"
        text = f"format({value}, '{form}')" if form else value
        texts[f"tip_{column}"] = f"isValid({value}) ? {text} : '{MISSING}'"
    return part(*(names or ("value",))).transform_calculate(**texts)
