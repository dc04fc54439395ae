"""Peak memory over sequence length: who keeps the score matrix, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.lines import over_length
from dashboards.charts.rows import Quantity
from dashboards.formats import count, listing

TITLE = "Peak memory over sequence length"
MEMORY = Quantity(
    column="peak_memory_mb",
    name="Peak memory of a call (MB)",
    also={"latency_ms": ("Latency (ms)", ",.3~r")},
)


def memory(cells: pd.DataFrame, *, kernels: Sequence[str] | None = None) -> Any:
    """The chart of ``cells``; ``kernels`` are all that the page shows, for their colours."""
    frame = tidy.prepare(cells)
    if not (frame["peak_memory_mb"].astype(float) > 0).any():
        return theme.message(TITLE, "No cell has its peak memory measured.")
    names = list(kernels or tidy.kernels(frame))
    zero = int((frame["peak_memory_mb"].astype(float) == 0).sum())
    left_out = f" {count(zero, 'cell')} below what can be measured left out." if zero else ""
    return over_length(
        frame,
        MEMORY,
        names,
        title=TITLE,
        subtitle="Most memory that a call adds to its inputs (MB = 10⁶ bytes)." + left_out,
        marks="Bottom edge: × failed, – not supported.",
        description="Line chart of peak memory in megabytes over sequence length in tokens, both "
        f"on log axes, for {listing(names)}; a panel each for {listing(tidy.panels(frame))}.",
    )
