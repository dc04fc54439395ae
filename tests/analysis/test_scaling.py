"""Exponents of planted power laws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.scaling import fitted_exponent

LENGTHS = [128, 256, 512, 1024, 2048, 4096, 8192, 16384]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.0])
def test_a_power_law_is_found_exactly_in_any_order(power: float) -> None:
    lengths = LENGTHS[::-1]
    fit = fitted_exponent(lengths, [1e-6 * n**power for n in lengths])
    assert fit is not None
    assert fit.value == pytest.approx(power)
    assert fit.low == pytest.approx(fit.high)
    assert fit.points == len(LENGTHS)


def test_the_overhead_bound_start_is_left_out() -> None:
    times = [max(0.02, 1e-8 * n**2) for n in LENGTHS]
    fit = fitted_exponent(LENGTHS, times)
    assert fit is not None
    assert fit.points == 5  # 1,024 is the first above half the floor of 0.02 ms
    assert fit.value == pytest.approx(1.81, abs=0.01)
    assert np.polyfit(np.log(LENGTHS), np.log(times), 1)[0] < 1.1, "what all of them would give"


def test_three_points_are_fitted_however_flat_and_fewer_are_not() -> None:
    fit = fitted_exponent([1, 2, 4, 8], [1.0, 1.0, 1.0, 8.0])
    assert fit is not None
    assert fit.points == 3
    assert fitted_exponent([1, 2], [1.0, 2.0]) is None
    assert fitted_exponent([1, 1, 2, 2], [1.0, 1.0, 2.0, 2.0]) is None
    assert fitted_exponent([], []) is None


def test_a_last_step_downwards_doesnt_keep_everything() -> None:
    fit = fitted_exponent([1, 2, 4, 8, 16], [1.0, 2.0, 4.0, 8.0, 7.9])
    assert fit is not None
    assert fit.points == 5  # every step is above half of a slope below zero
    falling = fitted_exponent([1, 2, 4, 8, 16], [9.0, 1.0, 4.0, 8.0, 7.9])
    assert falling is not None
    assert falling.points == 4


def test_what_isnt_a_time_is_left_out_and_repeats_count_once() -> None:
    lengths = [*LENGTHS, 512, 512, 99999, 77777]
    times = [*(1e-6 * n for n in LENGTHS), 1e-6 * 512, 5.0, math.nan, 0.0]
    fit = fitted_exponent(lengths, times)
    assert fit is not None
    assert fit.value == pytest.approx(1)
    assert fit.points == len(LENGTHS)


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        fitted_exponent([1, 2, 3], [1.0])


def test_the_interval_covers_the_exponent_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(600):
        times = 1e-6 * np.array(LENGTHS, float) ** 2 * np.exp(random.normal(0, 0.03, len(LENGTHS)))
        fit = fitted_exponent(LENGTHS, list(times))
        assert fit is not None
        covered += fit.low <= 2 <= fit.high
    assert 0.92 < covered / 600 < 0.98
