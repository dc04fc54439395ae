"""Drift, two modes and outliers are recognised; honest noise is let be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.measure.shape import BIMODAL, DRIFTING, OUTLIERS, remarks

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

HONEST: dict[str, Draw] = {
    "normal 1 %": lambda r, n: 1 + 0.01 * r.standard_normal(n),
    "normal 5 %": lambda r, n: 1 + 0.05 * r.standard_normal(n),
    "uniform": lambda r, n: 1 + 0.1 * r.random(n),
    "exponential tail": lambda r, n: 1 + 0.05 * r.exponential(size=n),
    "log-normal with outliers": lambda r, n: (
        np.exp(0.015 * r.standard_normal(n)) * np.where(r.random(n) < 0.03, 1.5, 1)
    ),
}
PLANTED: dict[str, tuple[str, Draw]] = {
    "half 10 % slower": (
        BIMODAL,
        lambda r, n: 1 + 0.01 * r.standard_normal(n) + 0.1 * (r.random(n) < 0.5),
    ),
    "a quarter 10 % slower, and outliers": (
        BIMODAL,
        lambda r, n: (
            (1 + 0.01 * r.standard_normal(n) + 0.1 * (r.random(n) < 0.25))
            * np.where(r.random(n) < 0.02, 1.5, 1)
        ),
    ),
    "a clock of two ticks": (BIMODAL, lambda r, n: np.where(r.random(n) < 0.5, 1.0, 1.05)),
    "5 % slower by the end": (
        DRIFTING,
        lambda r, n: 1 + 0.01 * r.standard_normal(n) + np.linspace(0, 0.05, n),
    ),
    "a step of 3 %": (
        DRIFTING,
        lambda r, n: 1 + 0.005 * r.standard_normal(n) + 0.03 * (np.arange(n) > n / 2),
    ),
    "a tenth four times as slow": (
        OUTLIERS,
        lambda r, n: (1 + 0.01 * r.standard_normal(n)) * np.where(r.random(n) < 0.15, 4.0, 1.0),
    ),
}


def share(draw: Draw, n: int, flags: tuple[str, ...]) -> float:
    random = np.random.default_rng(n)
    found = [remarks(draw(random, n).tolist(), 0.01) for _ in range(300)]
    return sum(bool(set(one) & set(flags)) for one in found) / len(found)


@pytest.mark.parametrize("n", [10, 20, 40, 160, 640])
@pytest.mark.parametrize("name", HONEST)
def test_honest_noise_is_let_be(name: str, n: int) -> None:
    assert share(HONEST[name], n, (BIMODAL, DRIFTING)) <= 0.03


@pytest.mark.parametrize("n", [80, 320])
@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_flagged(name: str, n: int) -> None:
    flag, draw = PLANTED[name]
    assert share(draw, n, (flag,)) >= 0.95


def test_what_is_smaller_than_the_interval_asked_for_is_let_be() -> None:
    assert remarks([1.0, 1.004] * 50, 0.01) == ()
    assert BIMODAL in remarks([1.0, 1.004] * 50, 0.002)
    assert remarks(list(np.linspace(1.0, 1.005, 100)), 0.01) == ()


def test_a_constant_series_and_a_short_one_have_nothing_remarkable() -> None:
    assert remarks([1.0] * 100, 0.01) == ()
    assert remarks([1.0, 2.0, 3.0], 0.01) == ()
