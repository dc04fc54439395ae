"""Small decode steps that go through everything a kernel may claim, edges included."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from harness.model import Limits, Problem
from harness.operators.attention.cases import head_dims

MASKS: dict[str, dict[str, Any]] = {
    "full": {},
    "causal": {"causal": True},
    "causal_window": {"causal": True, "window_left": 19},
}
"""Fields of a problem, by kind of mask (``Problem.mask``)."""
HEADS = ((4, 2), (2, 2), (6, 1), (1, 1))
"""Query and key/value heads to go round: GQA, MHA, MQA, a single head."""
CONTEXTS: dict[str, dict[str, Any]] = {
    "one_token": {"seq_q": 1, "seq_k": 1},
    "one_query": {"batch": 2, "seq_q": 1, "seq_k": 117},  # no multiple of any tile
    "several_queries": {"batch": 2, "seq_q": 5, "seq_k": 117},
    "uneven": {"batch": 4, "seq_q": 1, "seq_k": 117, "lengths": "uniform", "lengths_seed": 3},
    "uneven_queries": {"batch": 3, "seq_q": 4, "seq_k": 81, "lengths": "uniform"},
    "shorter_than_its_queries": {  # causal: the first new tokens of a sequence see nothing
        "batch": 5, "seq_q": 18, "seq_k": 63, "lengths": "skewed", "lengths_seed": 1,
    },
}  # fmt: skip
"""Batches, new tokens and contexts."""
QUANTISED = ("one_query", "shorter_than_its_queries")
"""Contexts that quantised caches are tried on."""


def cache_fields(cache: str, context: dict[str, Any], n: int, limits: Limits) -> dict[str, Any]:
    """The fields of a cache that ``context`` fits; pages that divide it, of a size by turns.

    Where pages must hold a multiple of some tokens, the context is as much longer.
    """
    fields = {**context, "cache": cache}
    if cache == "paged":
        multiple = limits.page_size_multiple
        if multiple > 1:
            fields["seq_k"] = -(-context["seq_k"] // multiple) * multiple + multiple
            fields["page_size"] = multiple
            return fields
        sizes = [size for size in (9, 3, 1, 39) if context["seq_k"] % size == 0]
        fields["page_size"] = sizes[n % len(sizes)]
    return fields


def cases(limits: Limits, dtype: str, direction: str) -> Iterator[list[Problem]]:
    """Each claimed cache × cache type × mask × batch of contexts, going round heads and dims."""
    dims = head_dims(limits)
    kinds = [cache for cache in limits.caches if cache]
    plain = itertools.product(kinds, ("",), limits.masks, CONTEXTS)
    quantised = itertools.product(kinds, limits.kv_dtypes, limits.masks[-1:], QUANTISED)
    for n, (cache, kv_dtype, mask, context) in enumerate(itertools.chain(plain, quantised)):
        hq, hkv = HEADS[n % len(HEADS)] if limits.gqa else (2, 2)
        turn = n % len(dims)
        yield [
            Problem(
                operator="decode", heads_q=hq, heads_kv=hkv, head_dim_qk=dqk, head_dim_v=dv,
                dtype=dtype, kv_dtype=kv_dtype, direction=direction,
                softcap=4.0 * (limits.softcap and n % 3 == 0),
                **MASKS[mask], **cache_fields(cache, CONTEXTS[context], n, limits),
            )
            for dqk, dv in dims[turn:] + dims[:turn]
        ]  # fmt: skip
