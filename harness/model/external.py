"""External: a result that another tool measured, kept for its history and never called checked.

It is a noun of its own because a Record promises that the output was compared with an oracle before
and after timing, and this was not. So it has no status, no accuracy and no place among kernels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from harness.model.identity import canonical_json, digest
from harness.model.interval import median, median_interval
from harness.model.problem import Params

OPERATOR = "external"
"""The operator of every external result."""


@dataclass(frozen=True)
class External:
    """One benchmark of one run of another tool: one value, or its repeats.

    Identity is what was measured (benchmark, canonical parameters, measure, unit, device) for the
    series, and when and of which version for the result. Where the file lay is not part of it.

    Raises ValueError where it says nothing: no value, no name, no device, no time.
    """

    benchmark: str
    """Name of the benchmark, without its parameters."""
    measure: str
    """What the values are: time, cpu_time, throughput …"""
    unit: str
    """Unit of the values as the tool gives it: s, ns, GB/s …; "" for a bare number."""
    values: tuple[float, ...]
    """Repeats in the order measured, or the one value that the tool kept."""
    device: str
    """What it ran on, as the tool names it."""
    measured_at: str
    """ISO 8601 UTC."""
    source: str
    """The format it came in, e.g. ``pytest-benchmark``."""
    params: Params = ()
    """Parameters, sorted by name."""
    version: str = ""
    """Commit or version of what was measured; "" where the file doesn't say."""
    statistic: str = "sample"
    """What one value is: a sample, or the mean, median … of samples that were not kept."""
    higher_is_better: bool | None = None
    """Which way is good; None where that can't be known."""
    origin: str = ""
    """File name, and the place in it."""
    metadata: dict[str, Any] = field(default_factory=dict, hash=False)
    """Whatever else the tool wrote about it, as JSON values."""

    def __post_init__(self) -> None:
        for name in ("benchmark", "measure", "device", "source"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty")
        if not self.values:
            raise ValueError(f"{self.benchmark} has no value")
        if not all(math.isfinite(value) for value in self.values):
            raise ValueError(f"{self.benchmark} has a value that is no finite number")
        if utc_time(self.measured_at) != self.measured_at:
            raise ValueError(f"measured_at={self.measured_at!r} is not ISO 8601 UTC")
        names = [name for name, _ in self.params]
        if names != sorted(set(names)):
            raise ValueError("params must be sorted, each name once")
        canonical_json([self.identity, self.metadata])  # ValueError where JSON can't say it

    @property
    def operator(self) -> str:
        """Always ``external``."""
        return OPERATOR

    @property
    def checked(self) -> bool:
        """Always False: no oracle has seen its output."""
        return False

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the series' key hashes."""
        return {
            "operator": OPERATOR,
            "benchmark": self.benchmark,
            "params": dict(self.params),
            "measure": self.measure,
            "unit": self.unit,
            "device": self.device,
        }

    @cached_property
    def series_key(self) -> str:
        """Key of the series it continues."""
        return digest(self.identity)

    @cached_property
    def key(self) -> str:
        """Identity of the result: series, time, version."""
        return digest([self.series_key, self.measured_at, self.version])

    @cached_property
    def content_key(self) -> str:
        """Hash of what it says beyond its identity, wherever the file lay."""
        return digest(
            [self.values, self.statistic, self.higher_is_better, self.source, self.metadata]
        )

    @property
    def value(self) -> float:
        """The median of its values, in its unit."""
        return median(self.values)

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the median within the run; None below 6 values."""
        return median_interval(self.values)


def utc_time(text: str) -> str:
    """ISO 8601 in UTC with microseconds; a time without a zone is taken as UTC.

    Raises ValueError where ``text`` is no ISO 8601 time.
    """
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")
