"""Sparse patterns of a mask: their parameters, and the seeded tables that some of them need.

    strided       j ≤ p and (p − j < local or (p − j) mod stride = 0)    arXiv 1904.10509, §4.3
    bigbird       blocks: the first ones (global), a band, random ones   arXiv 2007.14062, §2
    block_sparse  blocks: a random share of them, and the own one
    document      packed sequences: a token sees its own document only

Everything here is a function of sizes and a seed by ``random.Random.random`` alone, so that every
machine draws the same table. Blocks are ``block`` × ``block`` pairs, the last one may be cut.
"""

from __future__ import annotations

import random
from bisect import bisect_right, insort
from functools import lru_cache

PATTERN_PARAMS = {
    "strided": ("local", "stride"),
    "bigbird": ("block", "global_blocks", "random_blocks", "seed", "window_blocks"),
    "block_sparse": ("block", "keep", "seed"),
    "document": ("documents", "seed"),
}
"""The parameters each pattern needs, all of them; keep is a share, the others are counts."""

BlockTable = tuple[tuple[int, ...], ...]
"""For each block of queries the blocks of keys that it sees, ascending."""


def _draw_more(rng: random.Random, taken: set[int], among: int, wanted: int) -> None:
    """Add up to ``wanted`` numbers below ``among`` that aren't in ``taken`` yet."""
    left = [block for block in range(among) if block not in taken]
    for _ in range(min(wanted, len(left))):
        taken.add(left.pop(int(rng.random() * len(left))))


@lru_cache(maxsize=256)
def bigbird_table(
    blocks: int, global_blocks: int, window_blocks: int, random_blocks: int, seed: int, causal: bool
) -> BlockTable:
    """BigBird's table of ``blocks`` × ``blocks``: the same for every head and sequence.

    The first ``global_blocks`` see and are seen by all, ``window_blocks`` lie around the own one
    (itself included), ``random_blocks`` more are drawn a row. ``causal`` drops what lies right of
    the own block, and draws left of it.
    """
    rng = random.Random(f"attnbench bigbird/{seed}")
    half, rows = window_blocks // 2, []
    for row in range(blocks):
        among = row + 1 if causal else blocks
        if row < global_blocks:
            rows.append(tuple(range(among)))
            continue
        seen = {*range(min(global_blocks, among)), *range(max(0, row - half), row + half + 1)}
        seen = {block for block in seen if block < among}
        _draw_more(rng, seen, among, random_blocks)
        rows.append(tuple(sorted(seen)))
    return tuple(rows)


@lru_cache(maxsize=256)
def random_table(blocks: int, keep: float, seed: int, causal: bool) -> BlockTable:
    """A share ``keep`` of each row's blocks (``causal``: of those up to its own), its own too."""
    rng = random.Random(f"attnbench blocks/{seed}")
    rows = []
    for row in range(blocks):
        among = row + 1 if causal else blocks
        seen = {row}
        _draw_more(rng, seen, among, int(keep * among + 0.5) - 1)
        rows.append(tuple(sorted(seen)))
    return tuple(rows)


@lru_cache(maxsize=256)
def document_starts(tokens: int, documents: int, seed: int) -> tuple[int, ...]:
    """Where each of ``documents`` packed into ``tokens`` starts: 0, then drawn without repeats."""
    rng = random.Random(f"attnbench documents/{seed}")
    starts = [0]
    while len(starts) < min(documents, tokens):
        start = 1 + int(rng.random() * (tokens - 1))
        if starts[bisect_right(starts, start) - 1] != start:
            insort(starts, start)
    return tuple(starts)
