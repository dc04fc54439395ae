"""What a claim is, and what can be found about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.analysis.claims.evidence import Evidence


class Verdict(StrEnum):
    """What became of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    CONDITIONAL = "holds only if"
    """The text says what."""
    UNDECIDED = "measure more"
    """The interval of what was measured reaches across the edge of what is claimed."""
    OPEN = "not judged"
    """Nothing here can speak to it; the text says why."""


class Basis(StrEnum):
    """What a finding rests on."""

    ARITHMETIC = "arithmetic"
    MEASURED = "measured here"
    NEEDS_GPU = "needs a GPU"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Finding:
    """One answer to a claim."""

    basis: Basis
    verdict: Verdict
    text: str
    """The figures, in a sentence."""
    value: float | None = None
    """The figure that decides, where there is one."""
    low: float | None = None
    """Lower bound of its 95 % interval; None for arithmetic, and where it wasn't repeated."""
    high: float | None = None
    """Upper bound of it."""
    unit: str = ""
    """Of ``value``: ×, MB, % …"""


@dataclass(frozen=True)
class Claim:
    """Something that articles on attention say, with the ways to test it."""

    name: str
    """Short and permanent, for the command line and links."""
    says: str
    """The claim, in our words."""
    formula: str
    """What decides it."""
    arithmetic: Callable[[], Finding] | None = None
    """What follows from formulas alone."""
    measured: Callable[[Evidence], Finding] | None = None
    """What the measurements of the experiment ``claims`` say."""
    chip: str = ""
    """The hardware that it is said of, as a regular expression on device names; "" for any."""


def within(
    what: str,
    value: float,
    low: float,
    high: float,
    least: float,
    most: float,
    *,
    unit: str = "×",
) -> Finding:
    """Measured: holds where the interval lies in [least, most], does not where it lies outside.

    ``what`` begins the finding's text. Without repeats (a NaN bound) the value alone can only be
    called out of range or undecided, never right.
    """
    repeated = not (math.isnan(low) or math.isnan(high))
    low_, high_ = (low, high) if repeated else (value, value)
    if high_ < least or low_ > most:
        verdict = Verdict.FAILS
    elif repeated and least <= low_ and high_ <= most:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.UNDECIDED
    interval = f" [{low:.3g}, {high:.3g}]" if repeated else " (one launch: no interval)"
    shown = unit if unit in ("", "×") else f" {unit}"
    bounds = f"{least:.3g} or more" if most == float("inf") else f"{least:.3g} to {most:.3g}"
    return Finding(
        Basis.MEASURED,
        verdict,
        f"{what}: {value:.3g}{shown}{interval}; claimed: {bounds}{shown}",
        value,
        low if repeated else None,
        high if repeated else None,
        unit,
    )


def computed(verdict: Verdict, text: str, value: float | None = None, unit: str = "") -> Finding:
    """A finding of arithmetic."""
    return Finding(Basis.ARITHMETIC, verdict, text, value, unit=unit)
