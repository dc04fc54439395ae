"""Latency over sequence length, both log: the slope is how a kernel's time grows with length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.lines import over_length
from dashboards.charts.rows import Quantity
from dashboards.formats import listing, power
from harness.analysis.scaling import changed_regime, fitted_exponent

KEY_LINES = 10
"""Most lines of a panel's key."""

TITLE = "Latency over sequence length"
LATENCY = Quantity(
    column="latency_ms",
    name="Latency (ms)",
    low="latency_low_ms",
    high="latency_high_ms",
    also={"tflops": ("TFLOP/s", ",.3~r"), "launches": ("Launches", "d"), "flags": ("Remarks", "")},
)


def exponents(frame: pd.DataFrame) -> pd.DataFrame:
    """The x of latency ∝ n^x for each panel and kernel with three lengths or more.

    Columns panel, kernel, exponent, low, high, points, regime, longest_ms; slowest kernel first.
    """
    rows = []
    ok = frame[frame["status"] == "ok"]
    for (panel, kernel), group in ok.groupby(["panel", "label"], sort=False):
        cells = group.sort_values("length")
        fit = fitted_exponent(list(cells["length"]), list(cells["latency_ms"]))
        if fit is not None:
            longest = float(cells["latency_ms"].iloc[-1])
            changed = changed_regime(list(cells["length"]), list(cells["latency_ms"]))
            regime = "" if changed is None else changed.text
            rows.append((panel, kernel, fit.value, fit.low, fit.high, fit.points, regime, longest))
    columns = ["panel", "kernel", "exponent", "low", "high", "points", "regime", "longest_ms"]
    out = pd.DataFrame(rows, columns=columns)
    order = out["panel"].map({p: i for i, p in enumerate(tidy.panels(frame))})
    return (
        out.assign(_o=order)
        .sort_values(["_o", "longest_ms"], ascending=[True, False])
        .drop(columns="_o")
        .reset_index(drop=True)
    )


def _shortened(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """At most KEY_LINES of them, the fastest kernels', which are the last."""
    if len(lines) <= KEY_LINES:
        return lines
    rest = len(lines) - KEY_LINES + 1
    return [("", f"{rest} slower: see the table"), *lines[rest:]]


def latency(cells: pd.DataFrame, *, kernels: Sequence[str] | None = None) -> Any:
    """The chart of ``cells``; ``kernels`` are all that the page shows, for their colours."""
    frame = tidy.prepare(cells)
    if frame.empty:
        return theme.message(TITLE, "Nothing measured yet. attnbench run experiment=quickstart")
    keys: dict[str, list[tuple[str, str]]] = {}
    for fit in tidy.records(exponents(frame)):
        line = (fit["kernel"], f"{power(fit['exponent'])} {fit['kernel']}")
        keys.setdefault(fit["panel"], []).append(line)
    keys = {panel: _shortened(lines) for panel, lines in keys.items()}
    names = list(kernels or tidy.kernels(frame))
    return over_length(
        frame,
        LATENCY,
        names,
        title=TITLE,
        subtitle="Median time of a call with its 95 % interval.",
        marks="Top left: the fitted power of the length n. Bottom edge: × failed, – not supported.",
        description="Line chart of latency in milliseconds over sequence length in tokens, both "
        f"on log axes, for {listing(names)}; a panel each for {listing(tidy.panels(frame))}.",
        keys=keys,
    )
