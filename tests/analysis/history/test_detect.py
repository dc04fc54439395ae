"""`detect_changes` finds what was planted, where, and nothing that wasn't."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from harness.analysis.history import detect_changes
from harness.analysis.history.noise import autocorrelation
from tests.analysis.history.planted import NOISES, autoregressive, normal, series

SERIES = 60
"""Of each kind: enough to see a detector that is wrong; `make bench` has the rates, of 1,000."""


@pytest.mark.parametrize("noise", NOISES.values(), ids=list(NOISES))
def test_a_series_without_a_change_has_none(noise: Callable[..., object]) -> None:
    flagged = sum(bool(detect_changes(series(noise, seed))) for seed in range(SERIES))  # type: ignore[arg-type]
    assert flagged <= 2


@pytest.mark.parametrize("name", ["normal 1 %", "normal 2 %", "log-normal, outliers"])
@pytest.mark.parametrize("step", [0.05, -0.05])
def test_a_step_is_found_where_it_is_and_with_its_sign_and_size(name: str, step: float) -> None:
    hits = []
    for seed in range(SERIES):
        found = detect_changes(series(NOISES[name], seed, step=step))
        hits += [
            c for c in found if abs(c.index - 100) <= 3 and c.direction == math.copysign(1, step)
        ]
    assert len(hits) >= 0.93 * SERIES
    assert np.median([c.ratio for c in hits]) == pytest.approx(1 + step, rel=0.01)
    covered = sum(c.low <= 1 + step <= c.high for c in hits)
    assert covered >= 0.85 * len(hits)


def test_a_fresh_step_is_flagged_five_points_after_it() -> None:
    for seed in range(20):
        (change,) = detect_changes(series(normal(0.01), seed, step=0.05, at=195))
        assert abs(change.index - 195) <= 1


def test_several_steps_are_told_apart() -> None:
    values = series(normal(0.01), 1, n=300)
    values[100:] *= 1.06
    values[200:] *= 0.9
    assert [(c.index, c.direction) for c in detect_changes(values)] == [(100, 1), (200, -1)]


def test_a_step_below_the_least_effect_is_none_however_sure() -> None:
    values = series(normal(0.001), 1, step=0.01)
    assert detect_changes(values) == []
    (change,) = detect_changes(values, min_effect=0.005)
    assert change.index == 100


def test_outliers_alone_are_no_change() -> None:
    values = np.ones(50)
    values[[10, 11, 30, 48, 49]] = 3.0
    assert detect_changes(values) == []


def test_figures_that_repeat_exactly_have_exact_changes() -> None:
    (change,) = detect_changes([100.0] * 20 + [102.0] * 20, min_effect=0.01)
    assert (change.index, change.before, change.after) == (
        20,
        pytest.approx(100),
        pytest.approx(102),
    )


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [1.0] * 5, [math.nan] * 9, [0.0] * 9])
def test_little_or_nothing_is_no_change(values: list[float]) -> None:
    assert detect_changes(values) == []


def test_five_points_are_enough_for_a_large_move_alone() -> None:
    (change,) = detect_changes([1.0, 1.01, 1.0, 1.4, 1.41])
    assert (change.index, change.direction) == (3, 1)
    assert detect_changes([1.0, 1.001, 1.0, 1.04, 1.041]) == [], "two modes look like this too"


def test_ten_thousand_points() -> None:
    (change,) = detect_changes(series(normal(0.01), 3, n=10_000, step=0.03, at=7000))
    assert abs(change.index - 7000) <= 3


def test_missing_values_keep_the_index_of_what_was_given() -> None:
    values = series(normal(0.005), 4, n=60, step=0.1)
    values[[3, 7, 20]] = math.nan
    values[40] = math.inf
    assert [c.index for c in detect_changes(values)] == [30]


def test_zeros_are_compared_on_a_linear_scale() -> None:
    values = [0.0, 0.0, *[1.0, 1.1] * 10, *[2.0, 2.1] * 10]
    (change,) = [c for c in detect_changes(values) if c.index > 5]
    assert change.index == 22
    assert change.ratio == pytest.approx(2.05 / 1.05, rel=0.05)
    assert change.low < change.ratio < change.high


def test_boards_have_levels_of_their_own() -> None:
    random = np.random.default_rng(5)
    boards = random.choice(["a", "b", "c"], 120)
    level = {"a": 1.0, "b": 1.08, "c": 0.95}
    values = series(normal(0.004), 6, n=120) * [level[b] for b in boards]
    assert detect_changes(values, groups=list(boards)) == []
    values[70:] *= 1.04
    (change,) = detect_changes(values, groups=list(boards))
    assert abs(change.index - 70) <= 1
    assert change.ratio == pytest.approx(1.04, rel=0.005)


def test_a_move_from_one_board_to_another_is_no_change() -> None:
    values = series(normal(0.004), 7, n=80)
    values[40:] *= 1.07
    assert detect_changes(values, groups=["a"] * 40 + ["b"] * 40) == []
    values[60:] *= 1.05
    assert [c.index for c in detect_changes(values, groups=["a"] * 40 + ["b"] * 40)] == [60]


def test_the_same_series_gives_the_same_answer_and_is_left_alone() -> None:
    values = series(NOISES["bimodal"], 8, step=0.05)
    copy = values.copy()
    assert detect_changes(values) == detect_changes(list(values))
    assert (values == copy).all()


def test_the_unit_does_not_matter() -> None:
    values = series(normal(0.01), 9, step=0.05)
    (one,), (other,) = detect_changes(values), detect_changes(values * 1e-6)
    assert (one.index, one.ratio) == (other.index, pytest.approx(other.ratio))
    assert other.after == pytest.approx(one.after * 1e-6)


def test_autocorrelation_is_seen_past_a_step() -> None:
    logs = np.log(series(autoregressive, 10, n=2000, step=0.5))
    assert autocorrelation(logs) == pytest.approx(0.6, abs=0.1)
    assert autocorrelation(np.log(series(normal(0.01), 11, n=2000, step=0.5))) < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [[1.0]]}, "one-dimensional"),
        ({"values": [1.0, 2.0], "groups": ["a"]}, "1 groups for 2 values"),
        ({"values": [1.0], "min_effect": 2}, "min_effect=2"),
        ({"values": [1.0], "alpha": 0}, "alpha=0"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detect_changes(**arguments)  # type: ignore[arg-type]
