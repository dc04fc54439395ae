"""An offset for each board of a series: two boards of one model differ by 5 to 9 %.

An offset is found where boards alternate: each point is compared with the nearest points of the
board that was used most. A change that coincides with a change of boards for good can't be told
from the boards' difference, and is taken for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from harness.analysis.history.noise import Floats

NEAREST = 15
"""Pairs that an offset is the median of: the nearest in time, since a step is in few of them."""


def offsets(values: Floats, groups: Sequence[Hashable]) -> Floats:
    """What to subtract from each of ``values`` [n] (logarithms, or any unit) for its group.

    The group seen most (the first of those seen equally often) has the offset 0.
    """
    counts = Counter(groups)
    if len(counts) < 2:
        return np.zeros(len(values))
    order = list(counts)  # by first appearance, so that ties are settled the same way always
    reference = max(order, key=lambda name: (counts[name], -order.index(name)))
    number = np.array([order.index(name) for name in groups])
    here = np.flatnonzero(number == order.index(reference))
    out = np.zeros(len(values))
    for name in order:
        if name != reference:
            there = np.flatnonzero(number == order.index(name))
            out[there] = _difference(values, here, there)
    return out


def _difference(values: Floats, here: np.ndarray, there: np.ndarray) -> float:
    """How far the points at ``there`` lie above their neighbours at ``here``, in the median."""
    after = np.clip(np.searchsorted(here, there), 0, len(here) - 1)
    before = np.maximum(after - 1, 0)
    distance = np.minimum(np.abs(here[before] - there), np.abs(here[after] - there))
    # Between two points of the reference, their mean; beyond the first or last, that one.
    inside = (here[before] < there) & (here[after] > there)
    nearest = np.where(
        inside, (values[here[before]] + values[here[after]]) / 2, values[here[after]]
    )
    chosen = np.argsort(distance, kind="stable")[:NEAREST]
    return float(np.median((values[there] - nearest)[chosen]))
