"""Refusals: comparisons that would put different quantities side by side, and why nothing pairs."""

from __future__ import annotations

import pandas as pd

from harness.errors import ConfigError

AXES = {
    "operator": "{a} and {b} compute different things",
    "mode": "A was measured in mode {a}, B in {b}: those are different quantities, which are never "
    "compared",
    "device": "A ran on {a}, B on {b}: --by gpu compares devices",
    "dtype": "A is of dtype {a}, B of {b}: --by dtype compares them",
    "direction": "A is {a}, B is {b}: --by direction compares them",
    "kernel": "A has {a}, B has {b}: --by kernel compares kernels",
    "problem": "they have no problem in common (A: {a}; B: {b})",
}
"""What to say where the sides have no value of an axis in common, the gravest first."""
UNITS = {
    "tflops": ("cost_model", "FLOPs"),
    "tflops_per_w": ("cost_model", "FLOPs"),
    "peak_share": ("cost_model", "FLOPs"),
    "bandwidth_gb_s": ("cost_model", "bytes"),
    "peak_memory_mb": ("memory_source", "memory"),
}
"""By metric, the column that says what its unit was counted with, and what was counted."""


def must_have_pairs(frame: pd.DataFrame, by: str | None) -> None:
    """Raise ConfigError, saying what sets the sides apart; called where no cell pairs up."""
    for axis, why in AXES.items():
        if axis == by or (axis == "device" and by == "gpu"):
            continue
        values = [set(frame.loc[frame["side"] == s, axis].dropna()) for s in (0, 1)]
        if all(values) and not values[0] & values[1]:
            a, b = (_some(found) for found in values)
            raise ConfigError(f"nothing to compare: {why.format(a=a, b=b)}")
    raise ConfigError(
        "nothing to compare: A and B have no cell (kernel, problem, device, mode) in common; "
        "`attnbench results --sweep …` shows what each has"
    )


def mixed_units(rows: pd.DataFrame, metric: str) -> dict[int, str]:
    """By cell, why its two sides' values of a metric aren't of one unit."""
    if metric not in UNITS:
        return {}
    column, what = UNITS[metric]
    found = {}
    # Cells agree by far the most: look only at those where a second value turns up.
    known = rows[rows[column].notna()]
    count = known.groupby("cell")[column].nunique()
    for cell in count.index[count > 1]:
        mine = known[known["cell"] == cell]
        a, b = (_some(set(mine.loc[mine["side"] == s, column])) for s in (0, 1))
        found[int(cell)] = f"{what} counted by {a} on one side, by {b} on the other"
    return found


def _some(values: set[str]) -> str:
    shown = sorted(map(str, values))
    return ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")
