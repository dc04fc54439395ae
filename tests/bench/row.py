"""One figure: repeated, with its spread and the bound aimed for."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Row:
    """A figure of the project's own speed."""

    name: str
    """What was measured."""
    median: float
    """Of its repeats."""
    spread: float
    """Half the range of its repeats over their median."""
    unit: str
    """Of the median."""
    aim: str
    """The bound aimed for, "" for none."""


def row(name: str, values: list[float], unit: str, aim: str = "") -> Row:
    """The row of some repeats."""
    middle = statistics.median(values)
    return Row(name, middle, (max(values) - min(values)) / 2 / middle, unit, aim)


def timed(call: Callable[[], object]) -> float:
    """Wall time of one call, s."""
    start = perf_counter()
    call()
    return perf_counter() - start
