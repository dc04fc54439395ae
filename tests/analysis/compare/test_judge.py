"""Verdicts on planted truth, and on what can't be judged."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.analysis.compare import Verdict, estimate_prior, judge
from tests.analysis.compare.planted import NOISES, called, judged, normal


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
@pytest.mark.parametrize("launches", [3, 5])
def test_equal_sweeps_of_1000_cells_give_at_most_one_false_verdict_each(
    noise: object, launches: int
) -> None:
    false = [len(called(judged(noise, seed, 1000, launches))) for seed in range(8)]  # type: ignore[arg-type]
    assert np.mean(false) <= 1


def test_three_percent_on_one_cell_in_a_hundred_is_found_at_five_launches() -> None:
    found = [judged(normal, seed, 1000, 5, 0.03, 10) for seed in range(12)]
    hits = [sum(v is Verdict.REGRESSED for v in f.verdict[:10]) / 10 for f in found]
    assert np.mean(hits) >= 0.75
    false = [len([c for c in called(f) if c >= 10]) for f in found]
    assert np.mean(false) <= 1
    # A change that is there is never called unchanged.
    assert not any(v is Verdict.UNCHANGED for f in found for v in f.verdict[:10])


def test_intervals_cover_the_truth_and_unchanged_is_right() -> None:
    found = judged(normal, 3, 2000, 5, 0.015, 2000)
    inside = (found.low <= 1.015) & (found.high >= 1.015)
    assert 0.93 <= inside.mean() <= 0.97
    assert found.mean.low < 1.015 < found.mean.high


def test_a_single_cell_is_students_t_with_its_own_variance() -> None:
    before, after = [1.0, 1.02, 0.99, 1.01], [1.05, 1.08, 1.07]
    found = judge([before], [after])
    expected = stats.ttest_ind(np.log(after), np.log(before))
    interval = expected.confidence_interval()
    assert found.p[0] == pytest.approx(expected.pvalue)
    assert math.log(found.low[0]) == pytest.approx(interval.low)
    assert math.log(found.high[0]) == pytest.approx(interval.high)
    assert found.verdict == (Verdict.REGRESSED,)
    assert judge([before], [after], higher_is_better=True).verdict == (Verdict.IMPROVED,)


def test_the_prior_is_recovered_from_many_cells() -> None:
    random = np.random.default_rng(0)
    variances = 0.01**2 * 6 / random.chisquare(6, 4000)
    drawn = variances * random.chisquare(4, 4000) / 4
    prior = estimate_prior(drawn, np.full(4000, 4.0))
    assert prior.freedom == pytest.approx(6, rel=0.15)
    assert math.sqrt(prior.variance) == pytest.approx(0.01, rel=0.05)


def test_few_cells_that_look_alike_are_not_trusted_too_far() -> None:
    prior = estimate_prior(np.full(3, 1e-4), np.full(3, 4.0))
    assert prior.freedom == pytest.approx(2.0)  # a quarter of what the two others have
    assert prior.variance == pytest.approx(1e-4)
    lone = estimate_prior(np.array([1e-4]), np.array([4.0]))
    assert lone.freedom == 0


def test_launches_are_compared_on_the_boards_that_both_sides_have() -> None:
    boards = ([["x", "x", "y", "y"]], [["x", "x", "z", "z"]])
    found = judge([[1.00, 1.01, 1.10, 1.11]], [[1.00, 1.01, 0.50, 0.51]], boards=boards)
    assert found.ratio[0] == pytest.approx(1.0)
    assert (found.before[0], found.after[0]) == (2, 2)
    # Slower boards on one side are no regression; a change on both boards is one.
    boards = ([["x", "x", "x", "y"]], [["x", "y", "y", "y"]])
    still = judge([[1.000, 1.002, 0.998, 1.08]], [[1.000, 1.081, 1.079, 1.08]], boards=boards)
    assert still.verdict == (Verdict.UNCHANGED,)
    moved = judge([[1.000, 1.002, 0.998, 1.08]], [[1.05, 1.135, 1.133, 1.134]], boards=boards)
    assert moved.verdict == (Verdict.REGRESSED,)


def test_without_a_board_in_common_a_small_difference_says_nothing() -> None:
    boards = ([["x", "x", "x"]], [["y", "y", "y"]])
    found = judge([[1.0, 1.001, 0.999]], [[1.05, 1.051, 1.049]], boards=boards)
    assert found.verdict == (Verdict.UNKNOWN,)
    assert "no board in common" in found.reason[0]
    same = judge([[1.0, 1.001, 0.999]], [[1.0, 1.001, 0.999]], boards=boards)
    assert same.verdict == (Verdict.UNKNOWN,)
    far = judge([[1.0, 1.001, 0.999]], [[1.3, 1.301, 1.299]], boards=boards)
    assert far.verdict == (Verdict.REGRESSED,)


def test_one_launch_a_side_is_suspect_at_most() -> None:
    found = judge([[1.0], [1.0], [1.0, 1.01, 0.99]], [[2.0], [1.001], [3.0]])
    assert found.verdict == (Verdict.INSUFFICIENT,) * 3
    assert found.suspect.tolist() == [True, False, True]
    assert "two a side" in found.reason[0]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([], [1.0, 1.0], Verdict.INSUFFICIENT),
        ([math.nan, math.nan], [1.0, 1.0], Verdict.INSUFFICIENT),
        ([1.0, math.nan], [1.0, 1.0], Verdict.INSUFFICIENT),
        ([1.0, 1.0], [1.0, 0.0], Verdict.INSUFFICIENT),
        ([1.0, math.inf], [1.0, 1.0], Verdict.INSUFFICIENT),
        ([-1.0, 1.0], [1.0, 1.0], Verdict.INSUFFICIENT),
        ([0.0, 0.0], [0.0, 0.0], Verdict.UNCHANGED),
        ([0.0, 0.0], [1e-3, 1e-3], Verdict.REGRESSED),
        ([1e-3, 1e-3], [0.0, 0.0], Verdict.IMPROVED),
        ([7.0, 7.0], [7.0, 7.0], Verdict.UNCHANGED),
        ([7.0, 7.0], [8.0, 8.0], Verdict.REGRESSED),
        ([7.0, 7.0], [7.01, 7.01], Verdict.UNCHANGED),
    ],
)
def test_odd_values_get_a_clear_answer(
    before: list[float], after: list[float], verdict: Verdict
) -> None:
    found = judge([before], [after])
    assert found.verdict == (verdict,)
    assert bool(found.reason[0]) == (verdict is Verdict.INSUFFICIENT)


def test_a_move_common_to_the_sweep_must_stand_by_its_rounds() -> None:
    """Three quiet rounds against three busy ones: each cell alone would be called regressed."""
    random = np.random.default_rng(1)
    busy = np.array([0.0, 0.02, 0.04])
    before = np.exp(random.normal(0, 0.002, (200, 3)) + busy - 0.02)
    after = np.exp(random.normal(0, 0.002, (200, 3)) + busy + 0.02)
    after[0] *= 1.2
    found = judge(before, after)
    assert called(found) == [0]
    assert "the whole sweep" in found.reason[1]
    steady = judge(np.exp(random.normal(0, 0.002, (200, 3))), after)
    assert steady.mean.low < steady.mean.ratio < steady.mean.high


def test_a_real_change_of_every_cell_is_called() -> None:
    found = judged(normal, 5, 200, 5, 0.05, 200)
    assert len(called(found)) == 200
    assert found.mean.low < 1.05 < found.mean.high


def test_shapes_and_shares_are_checked() -> None:
    with pytest.raises(ValueError, match="pair up"):
        judge([[1.0]], [])
    with pytest.raises(ValueError, match="one name for each launch"):
        judge([[1.0]], [[1.0]], boards=([["x", "y"]], [["x"]]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        judge([[1.0]], [[1.0]], least_effect=2.0)
    nothing = judge([], [])
    assert nothing.verdict == ()
    assert math.isnan(nothing.mean.ratio)
