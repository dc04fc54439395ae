"""Which part of the outputs the oracle speaks of: everything, or a seeded sample.

A dense fp64 reference doesn't fit at long lengths (FIELD.md §6), so then it is computed exactly for
some key/value heads of some sequences, and there for some query and key rows. The sample depends
on the seed, so that a kernel can't know it; edges, where kernels go wrong, are always in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EDGE_ROWS = 4
"""Rows at either end that every sample has."""


@dataclass(frozen=True)
class Selection:
    """Head groups, and the rows looked at in each."""

    groups: tuple[tuple[int, int], ...]
    """(sequence, key/value head) pairs, ascending."""
    rows_q: NDArray[np.int64]
    """[groups, n] query rows, ascending in each group."""
    rows_k: NDArray[np.int64]
    """[groups, m] key rows, ascending in each group."""


def _rows(
    rng: np.random.Generator, length: int, wanted: int, padded: int | None = None
) -> NDArray[np.int64]:
    """``wanted`` of ``length`` rows; a shorter sequence is filled up with rows of its padding."""
    if padded is not None:
        rows = _rows(rng, length, wanted)
        missing = min(wanted, padded) - len(rows)
        return np.concatenate([rows, np.arange(length, length + max(0, missing))])
    if wanted >= length:
        return np.arange(length)
    inner = np.arange(EDGE_ROWS, length - EDGE_ROWS)
    drawn = rng.choice(inner, max(0, wanted - 2 * EDGE_ROWS), replace=False)
    edges = np.r_[np.arange(EDGE_ROWS), np.arange(length - EDGE_ROWS, length)]
    return np.sort(np.r_[drawn, edges])


def sample(
    seed: int,
    *,
    batch: int,
    heads: int,
    seq_q: int,
    seq_k: int,
    groups: int,
    rows: int,
    lengths: tuple[Sequence[int], Sequence[int]] | None = None,
) -> Selection:
    """A sample of ``groups`` of the batch × heads head groups, ``rows`` rows in each.

    Where ``groups`` covers all of them, or ``rows`` a whole length, all are taken, in order. The
    first and last head group are in any sample of at least three. ``lengths`` are the actual ones
    of each sequence's queries and keys, where they are uneven.
    """
    rows = max(rows, 2 * EDGE_ROWS)
    rng = np.random.default_rng((seed & (2**64 - 1), 0xA77E))
    total = batch * heads
    if groups >= total:
        chosen = np.arange(total)
    elif groups >= 3:
        inner = rng.choice(np.arange(1, total - 1), groups - 2, replace=False)
        chosen = np.sort(np.r_[0, inner, total - 1])
    else:
        chosen = np.sort(rng.choice(total, groups, replace=False))
    if lengths is None:
        rows_q = [_rows(rng, seq_q, rows) for _ in chosen]
        rows_k = [_rows(rng, seq_k, rows) for _ in chosen]
    else:
        rows_q = [_rows(rng, lengths[0][int(g) // heads], rows, seq_q) for g in chosen]
        rows_k = [_rows(rng, lengths[1][int(g) // heads], rows, seq_k) for g in chosen]
    return Selection(
        groups=tuple((int(g) // heads, int(g) % heads) for g in chosen),
        rows_q=np.stack(rows_q),
        rows_k=np.stack(rows_k),
    )
