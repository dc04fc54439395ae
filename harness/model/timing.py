"""Timing: how a job is measured. Only ``mode`` is part of a job's identity."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from harness.errors import InvalidProblem

MODES = ("cold", "hot", "graph", "host", "sustained")
"""What one sample is; modes are never mixed in a series.

==========  ====================================================================================
cold        caches flushed before every timed call, which is one sample
hot         calls back to back, caches warm, at least 1 ms a sample
graph       GPU: a CUDA graph of several calls, each with inputs of its own, after a flush
host        GPU: wall clock of one call from an idle device, launch cost included, after a flush
sustained   back to back for seconds, at least 100 ms a sample: what is left when the clock drops
==========  ====================================================================================
"""

GPU_MODES = ("graph", "host")
"""Modes that only a GPU has."""

ENERGY_S = 2.0
"""An energy counter moves in ticks of up to 0.1 s: this much load makes one a small error."""

SUSTAINED_MIN_S = 2.0
"""Less timed work than this shows no throttling: power and temperature follow in seconds."""


@dataclass(frozen=True)
class Timing:
    """The protocol of one job in one launch (FIELD.md §1)."""

    mode: str = "cold"
    """One of MODES."""
    launches: int = 3
    """Rounds of the sweep; each measures every job in fresh processes."""
    warmup_s: float = 0.2
    """Warm up at least this long, s; on a GPU until its clock is stable, at most 3 s more."""
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
    energy: bool = False
    """Measure the energy of a call in a pass of its own, 2 s or more; where no counter can be read,
    the record says so."""

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
            if not getattr(self, name) >= 0:
                raise InvalidProblem(f"timing.{name} can't be negative: {getattr(self, name)}")
        if self.min_samples > self.max_samples:
            raise InvalidProblem(
                f"timing.min_samples={self.min_samples} is above max_samples={self.max_samples}"
            )
        if self.timeout_s <= self.warmup_s + self.min_time_s:
            raise InvalidProblem(
                f"timing.timeout_s={self.timeout_s:g} leaves no time after warmup_s="
                f"{self.warmup_s:g} and min_time_s={self.min_time_s:g}"
            )

    def contradiction(self) -> str | None:
        """Settings that can't be kept together, in words; None where there are none.

        Apart from ``__post_init__``, since records measured under older rules stay readable.
        """
        if self.mode == "sustained" and self.min_time_s < SUSTAINED_MIN_S:
            return (
                f"timing.mode=sustained needs timing.min_time_s of at least {SUSTAINED_MIN_S:g} s "
                f"of load, not {self.min_time_s:g}: write timing=sustained, which sets it"
            )
        if self.mode == "sustained" and self.budget_s < self.min_time_s:
            return (
                f"timing.budget_s={self.budget_s:g} ends before timing.min_time_s="
                f"{self.min_time_s:g} of load: raise the budget"
            )
        needed_s = self.warmup_s + self.budget_s + self.energy * ENERGY_S
        if self.timeout_s <= needed_s:
            energy = f", budget_s and the {ENERGY_S:g} s of energy=true" if self.energy else ""
            return (
                f"timing.timeout_s={self.timeout_s:g} kills a job before warmup_s="
                f"{self.warmup_s:g} and budget_s={self.budget_s:g}{energy} are over: raise "
                "timeout_s or lower budget_s"
            )
        return None

    def impossible_on(self, kind: str) -> str | None:
        """Why no device of this kind (cpu, cuda, rocm) can be timed like this; None if it can."""
        if self.mode not in GPU_MODES or kind != "cpu":
            return None
        why = {
            "graph": "a CPU has no CUDA graphs",
            "host": "a CPU's wall clock is what cold measures already",
        }[self.mode]
        return f"timing.mode={self.mode} needs a GPU: {why}; a CPU has cold, hot and sustained"

    def refusal(self, direction: str) -> str | None:
        """Why a problem's direction can't be timed in this mode; None if it can.

        A backward pass runs on the streams of its forward pass, which a graph would have to hold
        too (PyTorch, CUDA semantics, "Whole-network capture").
        """
        if self.mode == "graph" and direction != "forward":
            return f"mode graph times the forward direction alone, not {direction}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``energy`` only where it is asked for, so that the hashes of records
        from before it was stay what they were."""
        out = {name: getattr(self, name) for name in self.__dataclass_fields__}
        if not self.energy:
            del out["energy"]
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Timing:
        """Inverse of ``to_dict``; unknown keys are ignored, so that newer files stay readable."""
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in data.items() if k in known})
