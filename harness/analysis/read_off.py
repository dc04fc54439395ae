"""What was read off the device beside the samples, as columns: figures, and texts.

A record keeps them as ``conditions``, a JSON object, so that what a new device says needs no new
schema. Their names are written by harness/measure; what a device doesn't say is absent there, and
NaN or None here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

FIGURES: dict[str, tuple[str, float]] = {
    "device_peak_memory_mb": ("device_memory_bytes", 1e-6),
    "energy_j": ("energy_j", 1.0),
    "power_w": ("power_w", 1.0),
    "clock_mhz": ("clock_mhz", 1.0),
    "temperature_c": ("temperature_c", 1.0),
}
"""Column, from which condition, times what."""
OLDER = {"sm_clock_mhz": "clock_mhz", "cpu_mhz": "clock_mhz"}
"""What conditions were called in older records."""
TEXTS = ("throttle_reasons", "compile_cache", "autotune")
"""Columns of texts, named as their conditions."""


def columns_of(conditions: Sequence[str]) -> dict[str, pd.Series]:
    """The columns, from each row's conditions as JSON."""
    # One text of them all: a call of its own for each takes three times as long.
    rows: list[dict[str, Any]] = json.loads(f"[{','.join(conditions)}]")
    rows = [{OLDER.get(name, name): value for name, value in row.items()} for row in rows]
    found = {
        column: pd.Series([_figure(row.get(name), scale) for row in rows], dtype="float64")
        for column, (name, scale) in FIGURES.items()
    }
    for name in TEXTS:
        # Older records have the driver's bit mask where there are words now.
        texts = [value if isinstance(value := row.get(name), str) else None for row in rows]
        found[name] = pd.Series(texts, dtype="object")
    return found


def _figure(value: Any, scale: float) -> float:
    return float("nan") if value is None or isinstance(value, str) else float(value) * scale
