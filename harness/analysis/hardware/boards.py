"""Boards of one model: how far each lies from its siblings, over what they all measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

CELL = ["kernel", "kernel_options", "problem_key", "mode"]
SWEEPS = 50
"""Rounds of the fit at most; two boards with the same cells take one."""


@dataclass(frozen=True)
class Board:
    """One board among those of its model."""

    gpu: str
    """The model."""
    uuid: str
    """The board."""
    host: str
    """Where it was seen last."""
    cells: int
    """Cells that at least one sibling has too."""
    ratio: float
    """Its time over the geometric mean of the model's boards."""
    low: float
    """Lower bound of the 95 % interval (Student's t over the cells); NaN with one cell."""
    high: float
    """Upper bound of it."""


def board_spread(frame: pd.DataFrame) -> list[Board]:
    """The boards of every model that has several, the slowest first, model by model.

    ``frame`` has a row a cell and board, and ``gpu`` names the model. On logarithms, a cell has a
    level and a board an offset, fitted by least squares in turn, so that boards which measured
    different problems compare too as long as some are shared.
    """
    out: list[Board] = []
    for gpu, mine in frame.groupby("gpu", sort=False):
        y = np.log(mine["latency_ms"].to_numpy(float))
        cell = mine.groupby(CELL, dropna=False, sort=False).ngroup().to_numpy()
        boards = list(mine["device_uuid"].drop_duplicates())
        board = mine["device_uuid"].map({name: i for i, name in enumerate(boards)}).to_numpy()
        several = pd.Series(board).groupby(cell).transform("nunique").to_numpy() > 1
        y, cell, board = y[several], cell[several], board[several]
        if not len(y):
            continue
        offset = _offsets(y, cell, board, len(boards))
        residual = y - offset[board]
        residual -= _means(residual, cell)[cell]
        hosts = dict(zip(mine["device_uuid"], mine["host"], strict=True))
        found = []
        for number in np.unique(board):
            rest = residual[board == number]
            half = math.nan
            if len(rest) > 1:
                from scipy import special

                error = float(rest.std(ddof=1)) / math.sqrt(len(rest))
                half = error * float(special.stdtrit(len(rest) - 1, 0.975))
            middle, name = float(offset[number]), str(boards[number])
            bounds = math.exp(middle - half), math.exp(middle + half)
            found.append(
                Board(str(gpu), name, str(hosts[name]), len(rest), math.exp(middle), *bounds)
            )
        out += sorted(found, key=lambda one: (-one.ratio, one.uuid))
    return out


def _offsets(y: np.ndarray, cell: np.ndarray, board: np.ndarray, count: int) -> np.ndarray:
    """Offsets of the boards, with mean 0 over those that share cells."""
    offset = np.zeros(count)
    present = np.unique(board)
    for _ in range(SWEEPS):
        level = _means(y - offset[board], cell)
        new = np.zeros(count)
        new[present] = _means(y - level[cell], board)[present]
        new[present] -= new[present].mean()
        done = float(np.abs(new - offset).max()) < 1e-12
        offset = new
        if done:
            break
    return offset


def _means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    means: np.ndarray = np.bincount(group, values) / np.maximum(np.bincount(group), 1)
    return means
