"""Sweeps with known truth: cells × launches of latencies, with a planted change or without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from harness.analysis.compare import Judged, Verdict, judge

Floats = npt.NDArray[np.float64]
Noise = Callable[[np.random.Generator, int, int], Floats]


def normal(random: np.random.Generator, cells: int, launches: int) -> Floats:
    """1 % between launches, all cells alike."""
    return random.normal(0, 0.01, (cells, launches))


def uneven(random: np.random.Generator, cells: int, launches: int) -> Floats:
    """1 % in the middle; a cell in six spreads twice as much, or half."""
    scale = 0.01 * np.exp(random.normal(0, 0.7, cells))
    return random.normal(0, 1, (cells, launches)) * scale[:, None]


def outliers(random: np.random.Generator, cells: int, launches: int) -> Floats:
    """1 %, and 3 % of the launches 10 to 50 % slower."""
    slow = random.random((cells, launches)) < 0.03
    return normal(random, cells, launches) + slow * random.uniform(0.1, 0.5, slow.shape)


def bimodal(random: np.random.Generator, cells: int, launches: int) -> Floats:
    """Three launches in ten 4 % slower, 0.5 % around each mode."""
    return random.normal(0, 0.005, (cells, launches)) + 0.04 * (
        random.random((cells, launches)) < 0.3
    )


def rounds(random: np.random.Generator, cells: int, launches: int) -> Floats:
    """1 %, and as much again that a whole round has in common."""
    return normal(random, cells, launches) + random.normal(0, 0.01, (1, launches))


NOISES: dict[str, Noise] = {
    "normal 1 %": normal,
    "uneven cells": uneven,
    "outliers": outliers,
    "bimodal": bimodal,
    "common rounds": rounds,
}
"""The noises of tests and figures; FIELD's two-run simulation is the first."""


def judged(
    noise: Noise, seed: int, cells: int, launches: int, change: float = 0.0, changed: int = 0
) -> Judged:
    """Two sweeps, of which the second is ``1 + change`` times as slow in the first cells."""
    random = np.random.default_rng(seed)
    before, after = noise(random, cells, launches), noise(random, cells, launches)
    after[:changed] += np.log1p(change)
    return judge(np.exp(before), np.exp(after))


def called(found: Judged) -> list[int]:
    """The cells that a change was called in."""
    changes = (Verdict.IMPROVED, Verdict.REGRESSED)
    return [i for i, verdict in enumerate(found.verdict) if verdict in changes]
