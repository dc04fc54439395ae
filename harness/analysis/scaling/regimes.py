"""Where a kernel's time changes regime: two straight lines on log-log that meet.

Broken-stick regression (Muggeo, Statistics in Medicine 22, 2003) with the break found by profiling:
for each place the best two lines are a linear least-squares problem.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.analysis.scaling.exponent import points_of

LEAST_LENGTHS = 6
"""Lengths that two lines and their break need, with two to spare."""
ALPHA = 0.01
"""How often a straight line may be called broken."""
LEAST_BEND = 0.3
"""Smallest difference of the exponents that counts: time only approaches a power law."""
OVERHEAD = 0.5
"""Below this exponent the shorter lengths are bound by a fixed cost."""
STEPS = 400
"""Places tried for the break."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Regimes:
    """One change of regime."""

    length: float
    """Where the two lines meet, tokens."""
    low: float
    """Lower end of its 95 % region (profile likelihood); the shortest length if it reaches that."""
    high: float
    """Upper end of it."""
    before: float
    """Exponent up to there."""
    after: float
    """Exponent from there on."""
    p: float
    """How likely one line alone would seem so broken."""

    @property
    def overhead_bound(self) -> bool:
        """The shorter lengths are bound by a fixed cost, the longer ones grow."""
        return self.before < OVERHEAD <= self.after

    @property
    def text(self) -> str:
        """In words."""
        first = "overhead-bound" if self.overhead_bound else f"n^{self.before:.2f}"
        return f"{first} → n^{self.after:.2f} at {self.length:,.0f}"


def changed_regime(lengths: Sequence[float], latencies: Sequence[float]) -> Regimes | None:
    """The change of regime of ``latencies`` over ``lengths`` (tokens), in any order; None where one
    line does as well, or fewer than 6 lengths have a time. Several latencies of a length count as
    their median. Raises ValueError where the two differ in length.
    """
    x, y = (np.array(v) for v in points_of(lengths, latencies))
    if len(x) < LEAST_LENGTHS:
        return None
    # Two points on either side at least: the break lies beyond the second and before the last but
    # one, or on them.
    places = np.union1d(np.linspace(x[1], x[-2], STEPS), x[1:-1])
    line, errors = _errors(x, y, places)
    best = int(errors.argmin())
    freedom = len(x) - 4
    floor = 1e-12 * float(((y - y.mean()) ** 2).sum() + 1e-12)  # planted laws have no error
    least = max(float(errors[best]), floor)
    from scipy import special

    f = max(line - least, 0.0) / 2 / (least / freedom)
    p = float(special.fdtrc(2, freedom, f))
    design = np.column_stack([np.ones_like(x), x, np.maximum(x - places[best], 0.0)])
    fitted = np.linalg.lstsq(design, y, rcond=None)[0]
    before, after = float(fitted[1]), float(fitted[1] + fitted[2])
    if p > ALPHA or abs(after - before) < LEAST_BEND:
        return None
    bound = least * (1 + float(special.fdtri(1, freedom, 0.95)) / freedom)
    inside = places[errors <= bound]
    low = -math.inf if inside[0] == places[0] else float(inside[0])
    high = math.inf if inside[-1] == places[-1] else float(inside[-1])
    return Regimes(
        math.exp(float(places[best])),
        math.exp(max(low, float(x[0]))),
        math.exp(min(high, float(x[-1]))),
        before,
        after,
        p,
    )


def _errors(x: Floats, y: Floats, places: Floats) -> tuple[float, Floats]:
    """Residual squares of one line, and of two that meet at each of ``places``."""
    one = np.column_stack([np.ones_like(x), x])
    bends = np.maximum(x[:, None] - places, 0.0)
    both = np.column_stack([y, bends])
    rest = both - one @ np.linalg.lstsq(one, both, rcond=None)[0]  # without the straight part
    left, bends = rest[:, 0], rest[:, 1:]
    line = float((left**2).sum())
    gained = (left @ bends) ** 2 / np.maximum((bends**2).sum(axis=0), 1e-30)
    return line, np.maximum(line - gained, 0.0)
