"""Contrasts: how far the second side lies from the first in each cell, board by board.

Two boards of one model differ by 5–9 %, so each cell is a randomised block design with the board as
block: logarithm = board + side + error, by least squares (Montgomery, Design and Analysis of
Experiments, ch. 4). Boards that one side alone has say nothing of the difference and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.compare.launches import Bools, Floats, Ints, Launches


@dataclass(frozen=True)
class Contrasts:
    """The differences of G cells, on logarithms."""

    effect: Floats
    """[G] Second side less the first; NaN where a side has no launch."""
    variance: Floats
    """[G] Of one launch, within board and side; NaN without degrees of freedom."""
    freedom: Floats
    """[G] Degrees of freedom of ``variance``."""
    unit: Floats
    """[G] Variance of ``effect`` over that of one launch: 1/n + 1/m on a single board."""
    counts: tuple[Ints, Ints]
    """[G] Launches of either side that were used."""
    paired: Bools
    """[G] Whether the sides have a board in common."""


def on_common_boards(launches: Launches) -> tuple[Launches, Bools]:
    """The launches whose board both sides of their cell have, and by cell whether any is common.

    A cell with no board in common keeps all its launches, as if they had run on one.
    """
    if not len(launches.value):
        return launches, np.zeros(launches.cells, dtype=bool)
    boards = int(launches.board.max()) + 1
    pair = launches.cell * boards + launches.board
    size = launches.cells * boards
    counts = [np.bincount(pair[launches.side == s], minlength=size) for s in (0, 1)]
    common = (counts[0] > 0) & (counts[1] > 0)
    paired: Bools = np.any(common.reshape(launches.cells, boards), axis=1)
    kept = launches.only(common[pair] | ~paired[launches.cell])
    board = np.where(paired[kept.cell], kept.board, 0)
    moved = Launches(kept.value, kept.cell, kept.side, board, kept.round, kept.cells)
    return moved, paired


def contrasts(launches: Launches) -> Contrasts:
    """The contrast of each cell; values must be positive (``launches`` as compared on logarithms).

    Weighted by what each board can say: with n and m launches a side, n m / (n + m).
    """
    kept, paired = on_common_boards(launches)
    cells = launches.cells
    boards = int(kept.board.max()) + 1 if len(kept.value) else 1
    logs = np.log(kept.value)
    block = kept.cell * boards + kept.board
    size = cells * boards
    n, total = (
        [np.bincount(block[kept.side == s], x[kept.side == s], size) for s in (0, 1)]
        for x in (np.ones_like(logs), logs)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = [t / k for t, k in zip(total, n, strict=True)]
        weight = np.where((n[0] > 0) & (n[1] > 0), n[0] * n[1] / (n[0] + n[1]), 0.0)
        step = np.where(weight > 0, mean[1] - mean[0], 0.0)
    residual = logs - np.where(kept.side == 0, mean[0][block], mean[1][block])
    within = np.bincount(kept.cell, residual**2, cells)
    by_cell = weight.reshape(cells, boards)
    steps = step.reshape(cells, boards)
    weights = by_cell.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        effect = (by_cell * steps).sum(axis=1) / weights
        lack = (by_cell * (steps - effect[:, None]) ** 2).sum(axis=1)
        used = (by_cell > 0).sum(axis=1)
        freedom = kept.count(0) + kept.count(1) - used - 1.0
        freedom = np.where(weights > 0, np.maximum(freedom, 0.0), 0.0)
        variance = np.where(freedom > 0, (within + lack) / freedom, np.nan)
        unit = 1 / weights
    return Contrasts(effect, variance, freedom, unit, (kept.count(0), kept.count(1)), paired)
