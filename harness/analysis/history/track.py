"""Track: one figure of one series over time, with what surrounded each of its points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.analysis.history.facts import COMMIT, Facts
from harness.analysis.history.noise import Floats


@dataclass(frozen=True, eq=False)
class Track:
    """One metric of one series: a point a sweep and board, in the order of history."""

    series_key: str
    """The series."""
    metric: str
    """Name of the metric; of another tool's result, its measure."""
    unit: str
    """Unit of the values."""
    higher_is_better: bool | None
    """Which way is good; None where nobody knows."""
    least_effect: float
    """Smallest relative change that matters."""
    labels: Mapping[str, str]
    """What it is of: operator, kernel, problem, device, mode; benchmark, params, device."""
    values: Floats
    """The points; NaN where a sweep has no value."""
    at: Sequence[str]
    """When each was measured, ISO 8601 UTC."""
    sweeps: Sequence[str]
    """Which sweep (of other tools: which run) each is of."""
    boards: Sequence[str]
    """Which board each was measured on."""
    facts: Sequence[Facts]
    """What surrounded each; points with equal surroundings share one object."""
    by_commit: bool = False
    """Ordered by the commits of the kernel's repository instead of by time."""
    late: int = 0
    """Points that arrived after later ones of their host: its clock was set back, or they were
    brought in by a merge. They stand by their time all the same."""

    @property
    def title(self) -> str:
        """The series in words."""
        return " · ".join(text for text in self.labels.values() if text)

    @cached_property
    def known(self) -> np.ndarray:
        """Positions of the points that have a value."""
        return np.flatnonzero(np.isfinite(self.values))

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Position of each sweep's first point."""
        return {sweep: i for i, sweep in reversed(list(enumerate(self.sweeps)))}

    def commit(self, index: int) -> str:
        """The kernel's commit at a point; "" outside a repository."""
        found = self.facts[index]
        return found.get(COMMIT, found.get("version", ""))
