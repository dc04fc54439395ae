"""Which keys a query sees (FIELD.md §3), once, for numpy and torch index arrays alike.

Of one sequence: uneven lengths are a batch of sequences of their own lengths.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.model import Problem
from harness.model.patterns import BlockTable


def visible(problem: Problem, rows: Any, keys: Any) -> Any:
    """Boolean array: does query ``rows`` see key ``keys``? None where every query sees all.

    ``rows`` and ``keys`` are integer arrays (numpy or torch) that broadcast against each other.
    """
    if problem.mask == "full":
        return None
    position = rows + (problem.seq_k - problem.seq_q)
    seen = keys >= 0
    if problem.causal:
        seen = seen & (keys <= position)
    if problem.window_left is not None:
        seen = seen & (keys >= position - problem.window_left)
    if problem.window_right is not None:
        seen = seen & (keys <= position + problem.window_right)
    if problem.pattern == "strided":
        back = position - keys
        near, far = back < problem.param("local"), back % problem.param("stride") == 0
        seen = seen & (near | far)
    table, starts = problem.block_table, problem.document_starts
    if table is not None:
        block, matrix = problem.param("block"), _as(block_matrix(table), rows)
        seen = seen & matrix[rows // block, keys // block]
    if starts is not None:
        document = _as(document_numbers(starts, problem.seq_k), rows)
        seen = seen & (document[rows] == document[keys])
    return seen


@lru_cache(maxsize=64)
def block_matrix(table: BlockTable) -> NDArray[np.bool_]:
    """[query blocks, key blocks], true where the table has the block."""
    matrix = np.zeros((len(table), len(table)), dtype=bool)
    for row, columns in enumerate(table):
        matrix[row, list(columns)] = True
    return matrix


@lru_cache(maxsize=64)
def document_numbers(starts: tuple[int, ...], tokens: int) -> NDArray[np.int64]:
    """[tokens] which document each token belongs to."""
    return np.searchsorted(np.array(starts), np.arange(tokens), side="right")


def _as(array: NDArray[Any], like: Any) -> Any:
    """``array`` as the same kind of array as ``like``."""
    if isinstance(like, np.ndarray):
        return array
    import torch  # planning imports the operators without it

    return torch.from_numpy(array)


def key_range(problem: Problem, first_row: int, last_row: int) -> tuple[int, int]:
    """Half-open range of keys outside which no query of first_row … last_row sees any.

    Lets the oracle skip what is hidden; a pattern may hide more inside it.
    """
    offset = problem.seq_k - problem.seq_q
    low, high = 0, problem.seq_k
    if problem.causal:
        high = min(high, last_row + offset + 1)
    if problem.window_right is not None:
        high = min(high, last_row + offset + problem.window_right + 1)
    if problem.window_left is not None:
        low = max(low, first_row + offset - problem.window_left)
    starts = problem.document_starts
    if starts is not None:
        low = max(low, starts[bisect_right(starts, first_row) - 1])
        after = bisect_right(starts, last_row)
        high = min(high, starts[after] if after < len(starts) else high)
    return low, max(low, high)


def shared_range(problem: Problem, first_row: int, last_row: int) -> tuple[int, int]:
    """Half-open range of keys that every query of first_row … last_row sees; may be empty.

    Inside it no mask needs to be looked at. A pattern promises none.
    """
    if problem.pattern:
        return 0, 0
    offset = problem.seq_k - problem.seq_q
    low, high = 0, problem.seq_k
    if problem.causal:
        high = min(high, first_row + offset + 1)
    if problem.window_right is not None:
        high = min(high, first_row + offset + problem.window_right + 1)
    if problem.window_left is not None:
        low = max(low, last_row + offset - problem.window_left)
    return low, max(low, high)
