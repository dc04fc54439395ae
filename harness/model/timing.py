"""Timing: how a job is measured. Only ``mode`` is part of a job's identity."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from harness.errors import InvalidProblem

MODES = ("cold", "hot")
"""cold: caches flushed before every timed call. hot: calls back to back, caches warm."""


@dataclass(frozen=True)
class Timing:
    """The protocol of one job in one launch (FIELD.md §1)."""

    mode: str = "cold"
    """One of MODES."""
    launches: int = 3
    """Rounds of the sweep; each measures every job in fresh processes."""
    warmup_s: float = 0.2
    """Warm up at least this long, s."""
    min_samples: int = 10
    """Stop no earlier than after this many samples."""
    min_time_s: float = 0.2
    """Stop no earlier than after this much timed work, s."""
    max_samples: int = 10_000
    """Stop at the latest after this many samples."""
    budget_s: float = 5.0
    """Stop after this long in the sampling loop (flushes included), s; five times as long where
    fewer than 6 samples, which an interval needs, are in by then."""
    relative_ci: float = 0.01
    """Stop when the 95 % interval of the median is within ± this share of it."""
    timeout_s: float = 300.0
    """A job that takes longer than this in all (set-up, checks, timing) is killed, s."""
    seed: int = 0
    """Seed of inputs and of the order of jobs."""
    memory_pass: bool = True
    """Measure peak memory in a pass of its own."""

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InvalidProblem(f"timing.mode={self.mode!r} is not one of {', '.join(MODES)}")
        for name in ("launches", "min_samples", "max_samples"):
            if getattr(self, name) < 1:
                raise InvalidProblem(f"timing.{name} must be at least 1, not {getattr(self, name)}")
        for name in ("budget_s", "timeout_s", "relative_ci"):
            if not getattr(self, name) > 0:
                raise InvalidProblem(f"timing.{name} must be positive, not {getattr(self, name)}")
        for name in ("warmup_s", "min_time_s"):
            if getattr(self, name) < 0:
                raise InvalidProblem(f"timing.{name} can't be negative: {getattr(self, name)}")
        if self.min_samples > self.max_samples:
            raise InvalidProblem(
                f"timing.min_samples={self.min_samples} is above max_samples={self.max_samples}"
            )
        if self.timeout_s <= self.warmup_s + self.min_time_s:
            raise InvalidProblem(
                f"timing.timeout_s={self.timeout_s} leaves no time after warmup_s="
                f"{self.warmup_s} and min_time_s={self.min_time_s}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Timing:
        """Inverse of ``to_dict``; unknown keys are ignored, so that newer files stay readable."""
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in data.items() if k in known})
