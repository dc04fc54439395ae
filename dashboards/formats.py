"""Numbers and names as people read them, one way in every chart, table and page.

Three significant digits are what a benchmark's spread supports; a unit stands in the heading or
behind the number, never both.
"""

from __future__ import annotations

import json
import math
from typing import Any

SIGNIFICANT = ",.3~r"
"""d3 format of a measured number in a chart: three significant digits, no exponent."""

SCIENTIFIC = ".1e"
"""d3 format of an error."""

MISSING = "–"


def is_missing(value: Any) -> bool:
    """None, NaN, NaT or pandas' NA."""
    return value is None or str(value) in ("nan", "NaT", "<NA>")


def number(value: Any, digits: int = 3) -> str:
    """``digits`` significant digits with thousands separators: 0.0123, 1.23, 12.3, 12,346."""
    if is_missing(value):
        return MISSING
    value = float(value)
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):,.{max(0, places)}f}"


def spread(value: Any, low: Any, high: Any) -> str:
    """A value with its interval, e.g. ``1.23 (1.20–1.27)``; the value alone where there is none."""
    if is_missing(value) or is_missing(low) or is_missing(high):
        return number(value)
    return f"{number(value)} ({number(low)}–{number(high)})"


def ratio(value: Any, low: Any = None, high: Any = None) -> str:
    """A speed-up with its interval where there is one, e.g. ``3.42× (3.38–3.46)``."""
    if is_missing(value):
        return MISSING
    known = not (is_missing(low) or is_missing(high))
    return f"{number(value)}×" + (f" ({number(low)}–{number(high)})" if known else "")


def error(value: Any) -> str:
    """An error, e.g. ``1.2e-03``."""
    return MISSING if is_missing(value) else f"{float(value):.1e}"


def power(exponent: float) -> str:
    """``n^1.92``: how a time grows with the length n. (Superscripts are too small to read.)"""
    return f"n^{exponent:.2f}"


def count(n: int, noun: str) -> str:
    """``1 cell``, ``2 cells``, ``1,200 cells``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def listing(items: list[str], limit: int = 8) -> str:
    """``a, b and c``; what is above ``limit`` is counted instead."""
    if len(items) > limit:
        items = [*items[:limit], f"{len(items) - limit} more"]
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def options(value: Any) -> str:
    """A kernel's options as ``k=v, …``, from a mapping, its JSON, or text."""
    if is_missing(value) or value in ("", "{}"):
        return ""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return str(value)
    if isinstance(value, dict):
        return ", ".join(f"{k}={v}" for k, v in sorted(value.items()))
    return str(value)
