"""Small problems of both forms of MLA that go through everything a kernel may claim."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from harness.model import Limits, Problem, params_of
from harness.operators.decode.cases import CONTEXTS, QUANTISED, cache_fields

MASKS: dict[str, dict[str, Any]] = {"full": {}, "causal": {"causal": True}}
"""Fields of a problem, by kind of mask (``Problem.mask``)."""
NAIVE = (((96, 64), 32), ((192, 128), 64), ((24, 16), 8))
"""Head dims of keys and values, and the rotated part among the former; DeepSeek-V3's second."""
ABSORBED = ((72, 64), (576, 512), (40, 24))
"""Head dims: latent and rotated part, and the latent."""
HEADS = (4, 1, 6)
LENGTHS = {
    "square": (70, 70),
    "one_token": (1, 1),
    "longer_keys": (33, 140),
    "longer_queries": (90, 37),  # causal: the first rows see nothing
}
"""Query and key lengths of the naive form."""


def cases(limits: Limits, dtype: str, direction: str) -> Iterator[list[Problem]]:
    """Naive where no cache is claimed, absorbed for the caches that are."""
    n = 0
    if "" in limits.caches:
        for mask, lengths in itertools.product(limits.masks, LENGTHS):
            n += 1
            yield [_naive(mask, lengths, n + more, dtype, direction) for more in range(len(NAIVE))]
    kinds = [cache for cache in limits.caches if cache]
    plain = itertools.product(kinds, ("",), limits.masks, CONTEXTS)
    quantised = itertools.product(kinds, limits.kv_dtypes, limits.masks[-1:], QUANTISED)
    for cache, kv_dtype, mask, context in itertools.chain(plain, quantised):
        n += 1
        fields = {**MASKS[mask], **cache_fields(cache, CONTEXTS[context], n, limits)}
        yield [
            _absorbed(kv_dtype, fields, n + more, dtype, direction) for more in range(len(ABSORBED))
        ]


def _naive(mask: str, lengths: str, n: int, dtype: str, direction: str) -> Problem:
    (dqk, dv), rope = NAIVE[n % len(NAIVE)]
    heads, (sq, sk) = HEADS[n % len(HEADS)], LENGTHS[lengths]
    return Problem(
        operator="mla", heads_q=heads, heads_kv=heads, seq_q=sq, seq_k=sk, head_dim_qk=dqk,
        head_dim_v=dv, dtype=dtype, direction=direction, params=params_of({"rope": rope}),
        **MASKS[mask],
    )  # fmt: skip


def _absorbed(kv_dtype: str, fields: dict[str, Any], n: int, dtype: str, direction: str) -> Problem:
    dqk, dv = ABSORBED[n % len(ABSORBED)]
    return Problem(
        operator="mla", heads_q=HEADS[n % len(HEADS)], heads_kv=1, head_dim_qk=dqk, head_dim_v=dv,
        dtype=dtype, kv_dtype=kv_dtype, direction=direction, scale=192**-0.5, **fields,
    )  # fmt: skip
