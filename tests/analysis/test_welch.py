"""Two sets of repeats: what moved, what stood still, what can't be told."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.welch import ALPHA, change


def repeats(seed: int, n: int, spread: float, factor: float = 1.0) -> list[float]:
    return list(factor * np.exp(np.random.default_rng(seed).normal(0, spread, n)))


def test_equal_things_are_called_different_as_rarely_as_stated() -> None:
    """The t test alone, without a least effect to help it."""
    moved = [change(repeats(i, 5, 0.02), repeats(10_000 + i, 5, 0.02), 1e-9) for i in range(2000)]
    assert 0.03 < np.mean([one.moved for one in moved]) < ALPHA + 0.015
    held = np.mean([one.low <= 1 <= one.high for one in moved])
    assert 0.935 < held < 0.97


def test_a_planted_step_is_found_with_its_size_and_direction() -> None:
    for factor in (1.05, 1 / 1.05):
        found = change(repeats(1, 8, 0.005), repeats(2, 8, 0.005, factor), 0.02)
        assert found.moved
        assert not found.still
        assert found.low < factor < found.high


def test_a_step_smaller_than_what_matters_is_none_however_sure() -> None:
    found = change(repeats(1, 50, 0.001), repeats(2, 50, 0.001, 1.01), 0.02)
    assert not found.moved
    assert found.still


def test_noise_that_hides_the_least_effect_shows_nothing() -> None:
    found = change(repeats(1, 3, 0.2), repeats(2, 3, 0.2), 0.02)
    assert not found.moved
    assert not found.still


def test_a_rise_and_the_same_fall_are_one_effect() -> None:
    up = change([1.0, 1.0], [1.02001, 1.02001], 0.02)
    down = change([1.02001, 1.02001], [1.0, 1.0], 0.02)
    assert up.moved
    assert down.moved


def test_figures_that_repeat_exactly_are_compared_exactly() -> None:
    assert change([3.0, 3.0], [3.0, 3.0], 0.02).still
    found = change([3.0, 3.0], [6.0, 6.0], 0.02)
    assert (found.ratio, found.low, found.high) == pytest.approx((2, 2, 2))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [([1.0], [1.0, 2.0], "1 repeats"), ([1.0, 0.0], [1.0, 2.0], "positive"),
     ([1.0, float("nan")], [1.0, 2.0], "finite")],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(
    before: list[float], after: list[float], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        change(before, after, 0.02)
