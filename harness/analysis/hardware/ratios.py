"""Each GPU over a reference GPU, problem by problem, and their geometric mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.hardware.figures import figure_named
from harness.analysis.hardware.matrix import PROBLEM, Hardware
from harness.errors import ConfigError, did_you_mean

INTERVAL = ("latency_low_ms", "latency_ms", "latency_high_ms")


@dataclass(frozen=True)
class OverReference:
    """One GPU's geometric mean over the reference."""

    gpu: str
    """The GPU."""
    ratio: float
    """Geometric mean of the ratios; NaN without a problem in common."""
    least: float
    """The smallest of them."""
    most: float
    """The largest. Problems differ: that is no error of the mean but what it is a mean of."""
    problems: int
    """Problems in common."""


@dataclass(frozen=True)
class Ratios:
    """Some figure over that of a reference GPU."""

    reference: str
    """The GPU that has the ratio 1."""
    figure: str
    """Name of the figure."""
    rows: pd.DataFrame
    """PROBLEM, ``gpu``, ``value``, ``ratio``, ``low``, ``high``: a row a problem that both have.
    The interval is that of both latencies, their errors taken as independent; NaN where one has
    none."""
    means: tuple[OverReference, ...]
    """A GPU each, in the order of ``Hardware.gpus``."""


def ratios(found: Hardware, reference: str, figure: str = "latency_ms") -> Ratios:
    """Every GPU's ``figure`` over ``reference``'s on the same problem and mode.

    Raises:
        ConfigError: no such GPU among the measured ones, or no such figure.
    """
    if reference not in found.gpus:
        raise ConfigError(
            f"reference {reference!r} wasn't measured. {did_you_mean(reference, found.gpus)}"
        )
    wanted = figure_named(figure)
    cells = found.cells[found.cells[wanted.name].notna()]
    base = cells[cells["gpu"] == reference].set_index(PROBLEM)
    taken = list(dict.fromkeys([wanted.name, *INTERVAL]))
    of_base = base[taken].rename(columns={name: f"{name}_base" for name in taken})
    rows = cells.join(of_base, on=PROBLEM, how="inner")
    value = rows[wanted.name]
    ratio = value / rows[f"{wanted.name}_base"]
    below, above = _half_widths(rows)
    if wanted.higher_is_better:  # the figure falls as time rises
        below, above = above, below
    same = rows["gpu"] == reference
    out = rows[[*PROBLEM, "problem", "dtype", "gpu"]].assign(
        value=value,
        ratio=ratio,
        low=(ratio * np.exp(-below)).where(~same, 1.0),
        high=(ratio * np.exp(above)).where(~same, 1.0),
    )
    means = tuple(_mean(name, out.loc[out["gpu"] == name, "ratio"]) for name in found.gpus)
    return Ratios(reference, wanted.name, out.reset_index(drop=True), means)


def _half_widths(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """By how much the latencies' ratio may lie below and above, as logarithms."""

    def side(mine: int, base: int) -> pd.Series:
        own = np.log(rows[INTERVAL[mine]] / rows["latency_ms"])
        other = np.log(rows[f"{INTERVAL[base]}_base"] / rows["latency_ms_base"])
        width: pd.Series = np.sqrt(own**2 + other**2)
        return width

    return side(0, 2), side(2, 0)


def _mean(gpu: str, values: pd.Series) -> OverReference:
    if values.empty:
        return OverReference(gpu, math.nan, math.nan, math.nan, 0)
    middle = math.exp(float(np.log(values).mean()))
    return OverReference(gpu, middle, float(values.min()), float(values.max()), len(values))
