"""Small problems that go through everything a recurrent kernel may claim, edges included."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from harness.model import Limits, Problem
from harness.operators.recurrent.counts import Counts

HEADS = ((2, 2), (1, 1))
"""Query and key/value heads …"""
SHARED_HEADS = ((4, 2), (2, 2), (3, 1))
"""… and where query heads may share one."""
LENGTHS = (1, 2, 33, 64, 130)
"""Tokens: one, no multiple of any chunk, exactly a chunk, several chunks and a rest."""
DIMS = ((16, 16), (32, 64), (40, 24), (17, 17), (64, 64))
"""Key and value head dims: common, unequal, odd."""


def recurrent_cases(
    counts: Counts, limits: Limits, dtype: str, direction: str
) -> Iterator[list[Problem]]:
    """Each claimed mask × length, going round the heads and head dims; every other is batched.

    A list holds what stands for one case: its first problem that the kernel doesn't refuse is run.
    """
    lengths = [n for n in LENGTHS if n > 1 or direction == "forward"]
    heads = SHARED_HEADS if counts.shared_heads else HEADS
    dims = [(dqk, dv) for dqk, dv in DIMS if dqk == dv or not counts.square]
    dims += [(dim, dim) for dim in limits.head_dims or ()]
    for n, (mask, length) in enumerate(itertools.product(limits.masks, lengths)):
        hq, hkv = heads[n % len(heads)]
        yield [
            Problem(
                operator=counts.operator, batch=1 + n % 2, heads_q=hq, heads_kv=hkv, seq_q=length,
                seq_k=length, head_dim_qk=dqk, head_dim_v=dv, dtype=dtype, direction=direction,
                causal=mask == "causal",
            )
            for dqk, dv in dims[n % len(dims) :] + dims[: n % len(dims)]
        ]  # fmt: skip
