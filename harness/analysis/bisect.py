"""Bisection: which commit of a row moved a figure, when some of them can't be tried.

As ``git bisect`` does it, with measurements for a verdict: a commit that can't be built or told is
left out, and its neighbours are tried instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.welch import Repeats, change


class Tried(StrEnum):
    """What became of a commit."""

    GOOD = "good"
    """As before the move."""
    BAD = "bad"
    """As after it."""
    SKIPPED = "skipped"
    """It can't be built, or gives no number."""
    UNTOLD = "untold"
    """Measured, but neither: too noisy, or half way."""


@dataclass(frozen=True)
class Culprit:
    """Where the move lies."""

    first_bad: str | None
    """The commit that moved it; None where commits that couldn't be told lie before it."""
    suspects: tuple[str, ...]
    """The commits it may be, the oldest first; ``first_bad`` alone where that is known."""
    tried: tuple[tuple[str, Tried], ...]
    """What was tried, in that order."""


def bisect(commits: Sequence[str], attempt: Callable[[str], Tried]) -> Culprit:
    """Find the first bad one of ``commits``, the oldest first, of which the last is known to be bad
    and what lies before the first to be good. ``attempt`` is called about log2(n) times, and once
    more for each commit that can't be told.

    Raises ValueError without a commit.
    """
    if not commits:
        raise ValueError("no commits to look through")
    good, bad = -1, len(commits) - 1
    untold: set[int] = set()
    tried: list[tuple[str, Tried]] = []
    while True:
        open_ = [i for i in range(good + 1, bad) if i not in untold]
        if not open_:
            break
        middle = (good + bad) / 2
        at = min(open_, key=lambda i: (abs(i - middle), i))
        found = attempt(commits[at])
        tried.append((commits[at], found))
        if found is Tried.GOOD:
            good = at
        elif found is Tried.BAD:
            bad = at
        else:
            untold.add(at)
    suspects = tuple(commits[good + 1 : bad + 1])
    return Culprit(suspects[0] if len(suspects) == 1 else None, suspects, tuple(tried))


def nearer(good: Repeats, tried: Repeats, moved: float) -> Tried:
    """Whether ``tried`` launches lie as ``good`` ones measured beside them, or beyond half of the
    whole move ``moved`` (bad over good, as a ratio); UNTOLD where the 95 % interval of their ratio
    (Welch's t on logarithms) holds the half way.

    Raises ValueError for fewer than two launches, or values that aren't positive.
    """
    found = change(good, tried, 0.0)
    half = math.log(moved) / 2
    low, high = math.log(found.low), math.log(found.high)
    if moved < 1:
        half, low, high = -half, -high, -low
    if low > half:
        return Tried.BAD
    return Tried.GOOD if high < half else Tried.UNTOLD
