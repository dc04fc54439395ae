"""A figure in words: three digits, as everything that analysis says in text has them."""

from __future__ import annotations

from math import isnan


def digits(value: float) -> str:
    """Three significant digits, without an exponent where people would not write one."""
    if isnan(value):
        return ""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:#.3g}" if abs(value) >= 1e-3 else f"{value:.1e}"
