"""Launches: one figure of every launch of every cell on two sides, as flat arrays."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Ragged = Sequence[Sequence[float]] | Floats
"""A row a cell, a number a launch; rows may differ in length, and NaN is a launch without one."""


@dataclass(frozen=True)
class Launches:
    """N launches of G cells. A launch without a figure (NaN) isn't among them."""

    value: Floats
    """[N] The figure, any unit: the median of the launch's samples, a peak, an error."""
    cell: Ints
    """[N] Which cell, 0 to G − 1."""
    side: Ints
    """[N] 0 before, 1 after."""
    board: Ints
    """[N] Which board; only launches on one board are compared, where both sides have it."""
    round: Ints
    """[N] Which round of the sweep: what disturbs a round disturbs all its cells alike."""
    cells: int
    """G; a cell may have no launch."""

    @classmethod
    def of(
        cls,
        before: Ragged,
        after: Ragged,
        boards: tuple[Sequence[Sequence[Hashable]], Sequence[Sequence[Hashable]]] | None = None,
    ) -> Launches:
        """From two lists of G rows. Launch j of every row is round j of its side.

        ``boards`` name, in two lists of the same shape, what each launch ran on (default: all on
        one). Raises ValueError where shapes differ.
        """
        if len(before) != len(after):
            raise ValueError(f"{len(before)} cells before, {len(after)} after: they must pair up")
        value: list[float] = []
        places: list[tuple[int, int, int, int]] = []
        known: dict[Hashable, int] = {}
        for side, rows in enumerate((before, after)):
            names = boards[side] if boards is not None else None
            if names is not None and list(map(len, names)) != list(map(len, rows)):
                raise ValueError("boards need one name for each launch")
            for cell, row in enumerate(rows):
                for round_, figure in enumerate(row):
                    board = names[cell][round_] if names is not None else None
                    value.append(float(figure))
                    places.append((cell, side, known.setdefault(board, len(known)), round_))
        table = np.array(places, dtype=np.int64).reshape(-1, 4)
        figures = np.array(value, dtype=np.float64)
        there = ~np.isnan(figures)
        cell, side, board, round_of = table[there].T
        return cls(figures[there], cell, side, board, round_of, len(before))

    def only(self, keep: Bools) -> Launches:
        """Some of the launches [N], with the cells numbered as before."""
        return Launches(
            self.value[keep],
            self.cell[keep],
            self.side[keep],
            self.board[keep],
            self.round[keep],
            self.cells,
        )

    def count(self, side: int) -> Ints:
        """[G] Launches of each cell on a side."""
        return np.bincount(self.cell[self.side == side], minlength=self.cells)


@dataclass(frozen=True)
class Odd:
    """Cells with values that have no logarithm: errors of exactly zero, mostly."""

    any: Bools
    """[G] Whether the cell is one."""
    effect: Floats
    """[G] 0 where all its values are zero, ±inf where one side's are and the other's are positive;
    NaN for what can't be compared."""


def split_odd(launches: Launches) -> tuple[Launches, Odd]:
    """The launches of the cells whose values are all positive and finite, and the other cells."""
    fine = np.isfinite(launches.value) & (launches.value > 0)
    size = launches.cells
    odd = np.bincount(launches.cell, ~fine, size) > 0
    zero, good = (
        [
            np.bincount(launches.cell[launches.side == s], x[launches.side == s], size)
            for s in (0, 1)
        ]
        for x in (launches.value == 0, fine)
    )
    count = [launches.count(s) for s in (0, 1)]
    same = (zero[0] == count[0]) & (zero[1] == count[1])
    rose = (zero[0] == count[0]) & (good[1] == count[1])
    fell = (good[0] == count[0]) & (zero[1] == count[1])
    effect = np.select([same, rose, fell], [0.0, np.inf, -np.inf], np.nan)
    both = (count[0] > 0) & (count[1] > 0)
    return launches.only(~odd[launches.cell]), Odd(odd, np.where(odd & both, effect, np.nan))
