"""TFLOP/s over sequence length: how much of the device a kernel uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.lines import over_length
from dashboards.charts.rows import Keys, Quantity
from dashboards.formats import listing, number

TITLE = "Throughput over sequence length"
THROUGHPUT = Quantity(
    column="tflops",
    name="Throughput (TFLOP/s)",
    log=False,
    shared=False,
    also={
        "peak_share": ("Share of peak", ".1%"),
        "latency_ms": ("Latency (ms)", ",.3~r"),
        "bandwidth_gb_s": ("Least traffic (GB/s)", ",.3~r"),
    },
)
_RULE_WITHIN = 4
"""The peak is drawn where it is at most so many times the best result, else it is only named."""


def peaks(frame: pd.DataFrame) -> dict[str, float]:
    """Peak TFLOP/s of each panel whose device has a known one."""
    known = frame[frame["peak_share"].astype(float) > 0]
    peak = known["tflops"].astype(float) / known["peak_share"].astype(float)
    return {str(k): float(v) for k, v in peak.groupby(known["panel"]).median().items()}


def throughput(cells: pd.DataFrame, *, kernels: Sequence[str] | None = None) -> Any:
    """The chart of ``cells``; ``kernels`` are all that the page shows, for their colours."""
    frame = tidy.prepare(cells)
    if frame.empty:
        return theme.message(TITLE, "Nothing measured yet. attnbench run experiment=quickstart")
    best = frame["tflops"].astype(float).groupby(frame["panel"]).max()
    limits = peaks(frame)
    keys: Keys = {
        panel: [("", f"peak {number(peak)} TFLOP/s, best {100 * best[panel] / peak:.0f} % of it")]
        for panel, peak in limits.items()
    }
    names = list(kernels or tidy.kernels(frame))
    unknown = "" if limits else " No peak is known for this device, so no share of it is shown."
    return over_length(
        frame,
        THROUGHPUT,
        names,
        title=TITLE,
        subtitle="FLOPs of the problem, not of the implementation, over the median time. "
        "Each panel has its own scale." + unknown,
        marks="Bottom edge: × failed, – not supported.",
        description="Line chart of TFLOP/s over sequence length in tokens (log axis) for "
        f"{listing(names)}; a panel each for {listing(tidy.panels(frame))}.",
        keys=keys,
        rules={p: v for p, v in limits.items() if v <= _RULE_WITHIN * best[p]},
    )
