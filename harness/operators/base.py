"""The two halves of an operator as protocols, and what its oracle hands to the gates.

A half is a module with these functions at its top level, or where several operators share them an
object in it: ``COUNTS`` of a ``cost.py``, ``FAMILY`` of a ``reference.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from harness.model import Problem

if TYPE_CHECKING:  # planning imports this file, and needs neither
    import numpy as np
    import torch
    from numpy.typing import NDArray

GATE_KINDS = ("max_error", "rmse_ratio", "cosine")
"""Rules that can decide whether an output is right (harness/operators/gates.py)."""


class WrongOutput(Exception):
    """A kernel's outputs can't be compared at all: missing, misshapen, mistyped or not finite.

    Not an AttnbenchError: what a kernel does wrong is a record with status ``incorrect``.
    """


@dataclass(frozen=True)
class Gate:
    """Which rule decides, and its bound where the rule doesn't derive one."""

    kind: str = "max_error"
    """One of GATE_KINDS."""
    bound: float | None = None
    """For rmse_ratio the largest, for cosine the least allowed; max_error derives its own."""
    row_bound: float | None = None
    """Largest row error over ``Expected.row_scale``; None: derived from the baseline's."""

    def __post_init__(self) -> None:
        if self.kind not in GATE_KINDS:
            raise ValueError(f"gate {self.kind!r} is not one of {', '.join(GATE_KINDS)}")
        if (self.bound is None) != (self.kind == "max_error"):
            raise ValueError(f"gate {self.kind} with bound {self.bound}")


QUANTISED_GATE = Gate("cosine", 0.99, row_bound=0.125)
"""Kernels may multiply in the cache's own type: fp8's roundoff is 1/16, and a row errs by twice
that of its natural noise at most."""


@dataclass(frozen=True)
class Expected:
    """The oracle's word on one problem and seed: numpy only, so it pickles between processes.

    Each array's last axis is the head dim; the axes before it enumerate rows (a token of a head).
    """

    outputs: dict[str, NDArray[np.float64]]
    """The right values by output, in canonical order: out, dq, dk, dv (those there are)."""
    baseline_max_error: dict[str, float]
    """max |plain torch in the problem's dtype − oracle| by output, on the same selection."""
    share: float = 1.0
    """Share of all output elements that are in ``outputs``, 0–1."""
    gate: Gate = Gate()
    """The rule that decides."""
    row_scale: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """Natural size of each row's rounding noise over the unit roundoff: RMS of the terms it sums.

    Same shape as the output without its last axis. 0 marks a row that must be exactly 0.
    """
    baseline_row_error: dict[str, float] = field(default_factory=dict)
    """Largest RMS of the baseline's error in a row over that row's ``row_scale``, by output."""
    baseline_gain_error: dict[str, float] = field(default_factory=dict)
    """|slope of the baseline's output on the oracle's − 1|, by output; 0 where it has none."""


class CostModel(Protocol):
    """A ``cost.py``: what a problem means and what it costs. No torch, no numpy, microseconds."""

    MODEL: str
    """Name and version of the formulas, stored with every record, e.g. ``attention/1``."""

    def validate(self, problem: Problem) -> None:
        """Raise InvalidProblem, naming the field, for what the operator can't mean."""

    def flops(self, problem: Problem) -> int:
        """Floating-point operations of the problem (of its direction, whole batch)."""

    def min_bytes(self, problem: Problem) -> int:
        """Bytes that any implementation must move between memory and chip."""

    def kv_cache_bytes(self, problem: Problem) -> int:
        """Bytes that the problem's keys and values take where they are kept as a cache."""

    def visible_pairs(self, problem: Problem) -> int:
        """(query, key) pairs that one head of one sequence computes."""


class Reference(Protocol):
    """A ``reference.py``: inputs, the oracle, and the same selection of a kernel's outputs.

    Every function is pure: the same arguments give the same values in every process, on every
    device and in every layout.
    """

    DIFFERENTIABLE: tuple[str, ...]
    """Inputs that gradients are taken of: the backward outputs are d<name>, in this order."""

    def make_inputs(
        self, problem: Problem, seed: int, device: torch.device, layout: str
    ) -> dict[str, torch.Tensor]:
        """Fresh inputs in the kernel's native layout; with ``grad_out`` unless forward."""

    def expected(self, problem: Problem, seed: int) -> Expected:
        """The oracle's outputs for ``make_inputs(problem, seed, …)``; computed on the CPU."""

    def select(
        self, problem: Problem, seed: int, outputs: dict[str, torch.Tensor], layout: str
    ) -> dict[str, NDArray[np.floating]]:
        """What of a kernel's outputs ``expected`` speaks of. Raises WrongOutput."""
