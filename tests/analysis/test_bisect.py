"""Bisection with planted culprits, commits that can't be told, and verdicts of launches."""

from __future__ import annotations

import math
import random

import pytest

from harness.analysis.bisect import Tried, bisect, nearer

COMMITS = [f"c{i}" for i in range(20)]


@pytest.mark.parametrize("culprit", range(20))
def test_the_commit_is_found_in_log2_steps(culprit: int) -> None:
    found = bisect(COMMITS, lambda c: Tried.BAD if int(c[1:]) >= culprit else Tried.GOOD)
    assert found.first_bad == f"c{culprit}"
    assert found.suspects == (f"c{culprit}",)
    assert len(found.tried) <= math.ceil(math.log2(20))


def test_commits_that_dont_build_are_gone_around_and_named_where_they_hide_it() -> None:
    random.seed(4)
    for culprit in range(20):
        broken = set(random.sample(range(19), 6))

        def attempt(commit: str, culprit: int = culprit, broken: set[int] = broken) -> Tried:
            number = int(commit[1:])
            if number in broken:
                return Tried.SKIPPED
            return Tried.BAD if number >= culprit else Tried.GOOD

        found = bisect(COMMITS, attempt)
        assert f"c{culprit}" in found.suspects
        named = [int(c[1:]) for c in found.suspects]
        assert named == list(range(named[0], named[-1] + 1))
        assert set(named[:-1]) <= broken, "all but the last are ones that can't be told"
        assert (found.first_bad is None) == (len(named) > 1)


def test_one_commit_is_the_culprit_and_none_is_refused() -> None:
    assert bisect(["c0"], lambda c: Tried.UNTOLD).first_bad == "c0"
    with pytest.raises(ValueError, match="no commits"):
        bisect([], lambda c: Tried.GOOD)


def test_launches_beyond_half_of_the_move_are_bad_and_between_is_untold() -> None:
    good = [1.0, 1.01, 0.99, 1.005]
    assert nearer(good, [1.2, 1.21, 1.19, 1.2], 1.2) is Tried.BAD
    assert nearer(good, [1.0, 1.02, 0.99, 1.0], 1.2) is Tried.GOOD
    assert nearer(good, [1.09, 1.10, 1.11, 1.095], 1.2) is Tried.UNTOLD
    assert nearer(good, [0.8, 0.81, 0.79, 0.8], 0.8) is Tried.BAD, "a move downwards"
    assert nearer(good, [1.0, 1.4, 1.0, 1.01], 1.05) is Tried.UNTOLD, "too noisy"
    with pytest.raises(ValueError, match="two or more"):
        nearer([1.0], [1.0, 1.0], 1.2)
