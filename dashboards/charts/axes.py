"""Axes of charts over length: ticks where something was measured, labels with few digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from dashboards.charts.rows import HEIGHT, Data, Quantity
from dashboards.formats import SCIENTIFIC, SIGNIFICANT

SHORT_LENGTH = (
    "datum.value >= 1024 && datum.value % 1024 == 0 ? datum.value / 1024 + 'k' : "
    "format(datum.value, 'd')"
)
"""Label of a length: 512, 1k, 2k."""

_MANY_LENGTHS = 9

_TICK = {SIGNIFICANT: ",.6~r", SCIENTIFIC: ".1~e"}
"""Format of ticks, which are round, for values of a format."""


def length_axis(lengths: Sequence[int]) -> alt.X:
    """Log axis of base 2 with the measured lengths as ticks; powers of two, where they are many."""
    powers = [n for n in lengths if not n & (n - 1)]
    ticks = powers if len(lengths) > _MANY_LENGTHS and len(powers) > 2 else list(lengths)
    scale = alt.Scale(type="log", base=2, nice=False, padding=14)
    axis = alt.Axis(values=ticks, labelExpr=SHORT_LENGTH, grid=False)
    return alt.X("length:Q", title="Sequence length (tokens)", scale=scale, axis=axis)


def value_axis(field: str, quantity: Quantity, data: Data) -> alt.Y:
    """Axis of the value, in the plot's part of the panel. Layers repeat it, so they agree."""
    span = [data.top + HEIGHT, data.top]
    # As an expression: an axis gives a format its own precision, and 150 becomes 1.5e+2.
    label: dict[str, Any] = {
        "labelExpr": f"format(datum.value, '{_TICK.get(quantity.form, quantity.form)}')"
    }
    if not quantity.shared:
        label["minExtent"] = 36  # panels of a column line up though each has its own axis
    if quantity.log:
        numbers = [r[quantity.column] for r in data.rows if quantity.column in r]
        scale = alt.Scale(type="log", nice=False, padding=8, range=span)
        axis = alt.Axis(
            **label, values=log_ticks(min(numbers), max(numbers), shared=quantity.shared)
        )
    else:
        scale = alt.Scale(zero=True, nice=True, range=span)
        axis = alt.Axis(**label, tickCount=6)
    return alt.Y(f"{field}:Q", title=quantity.name, scale=scale, axis=axis)


def log_ticks(low: float, high: float, *, shared: bool = True) -> list[float]:
    """Powers of ten over three decades and more, 1–2–5 over one, every digit below that.

    Panels that aren't ``shared`` each show a part of them, however narrow, so there are more.
    """
    decades = math.log10(high / low)
    steps: tuple[float, ...] = (1,) if decades > 3 else (1, 2, 5)
    steps = steps if decades > 0.7 else tuple(range(1, 10))
    steps = steps if shared else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
    first, last = math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1
    return [float(f"{s}e{e}") for e in range(first, last + 1) for s in steps]
