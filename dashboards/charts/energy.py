"""Energy of a call over sequence length, where the device's counters tell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboards import theme, tidy
from dashboards.charts.lines import over_length
from dashboards.charts.rows import Quantity
from dashboards.formats import listing

TITLE = "Energy over sequence length"
ENERGY = Quantity(
    column="energy_j",
    name="Energy of a call (J)",
    also={
        "tflops_per_w": ("TFLOP/s per watt", ",.3~r"),
        "power_w": ("Power (W)", ",.3~r"),
        "latency_ms": ("Latency (ms)", ",.3~r"),
    },
)


def energy(cells: pd.DataFrame, *, kernels: Sequence[str] | None = None) -> Any:
    """The chart of ``cells``; ``kernels`` are all that the page shows, for their colours."""
    frame = tidy.prepare(cells)
    if not (frame["energy_j"].astype(float) > 0).any():
        return theme.message(
            TITLE,
            "No cell has its energy. timing.energy=true measures it where a counter is.",
        )
    names = list(kernels or tidy.kernels(frame))
    return over_length(
        frame,
        ENERGY,
        names,
        title=TITLE,
        subtitle="By the device's own counter (NVML, RAPL) over 2 s or more of calls back to back.",
        marks="Bottom edge: × failed, – not supported.",
        description="Line chart of energy in joules over sequence length in tokens, both "
        f"on log axes, for {listing(names)}; a panel each for {listing(tidy.panels(frame))}.",
    )
