"""What a kernel is tried on, and how that ended: plain data that goes between processes."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model import Kernel, Problem


@dataclass(frozen=True)
class Trial:
    """What is tried: plain data, so that it goes to another process."""

    kernel: Kernel
    """The kernel; its file is loaded where it is tried."""
    problem: Problem
    """What it is to compute."""
    fresh: bool = False
    """It is called on other values at the same addresses as well."""


@dataclass(frozen=True)
class Outcome:
    """How a trial ended."""

    status: str
    """passed, refused (by the kernel's ``supports``), failed, or broken: its file doesn't load."""
    reason: str = ""
    """Why it was refused or failed, with the figures; "" where it passed."""
    max_error: float = 0.0
    """Largest error against the oracle of the output that decided; 0 where none was compared."""
    strain: float = 0.0
    """The figure that decided over its bound: up to 1 is right."""
    repeatable: bool = True
    """Two calls on the same values gave the same bits."""
