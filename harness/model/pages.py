"""Page tables of a paged KV cache (arXiv 2309.06180): shuffled, the same on every machine."""

from __future__ import annotations

import random
from functools import lru_cache


@lru_cache(maxsize=64)
def page_table(
    lengths: tuple[int, ...], page_size: int, seed: int = 0
) -> tuple[tuple[int, ...], ...]:
    """The pages that hold each sequence, in the order of its tokens; every page is used once.

    ``lengths`` are tokens, ``page_size`` is tokens a page. Pages are dealt from a shuffled pool, as
    they lie after a server has run for a while: neighbours in a sequence aren't neighbours in
    memory. Ordered by ``random.Random.random``, whose values Python promises to keep.
    """
    counts = [-(-length // page_size) for length in lengths]
    rng = random.Random(f"attnbench pages/{seed}")
    pool = iter(sorted(range(sum(counts)), key=lambda _: rng.random()))
    return tuple(tuple(next(pool) for _ in range(count)) for count in counts)
