"""Small problems that go through everything an attention kernel may claim, edges included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.model import Limits, Problem, params_of

MASKS: dict[str, dict[str, Any]] = {
    "full": {},
    "causal": {"causal": True},
    "causal_window": {"causal": True, "window_left": 19},
    "window": {"window_left": 7, "window_right": 40},
    "strided": {"pattern": "strided", "params": {"local": 5, "stride": 8}},
    "bigbird": {
        "pattern": "bigbird",
        "params": {
            "block": 16, "global_blocks": 1, "random_blocks": 1, "seed": 1, "window_blocks": 1
        },
    },
    "block_sparse": {
        "pattern": "block_sparse", "causal": True, "params": {"block": 8, "keep": 0.3, "seed": 1}
    },
    "document": {
        "pattern": "document", "window_left": 20, "params": {"documents": 3, "seed": 0}
    },
}  # fmt: skip
"""Fields of a problem, by kind of mask (``Problem.mask``)."""
HEADS = {"mha": (2, 2), "gqa": (4, 2), "single": (1, 1)}
"""Query and key/value heads."""
LENGTHS = {
    "square": (70, 70),  # no multiple of any tile
    "one_query": (1, 65),
    "one_token": (1, 1),
    "longer_keys": (33, 140),
    "longer_queries": (90, 37),  # causal: the first rows see nothing
}
"""Query and key lengths."""


def head_dims(limits: Limits) -> list[tuple[int, int]]:
    """Query and value head dims to go through: common, odd, unequal, least and most."""
    dims = [(64, 64), (40, 40), (128, 128), (64, 32), (17, 17)]
    dims += [(dim, dim) for dim in limits.head_dims or ()]
    if limits.head_dim_min is not None:
        dims.append((limits.head_dim_min, limits.head_dim_min))
    if limits.head_dim_max is not None:
        dims.append((limits.head_dim_max, limits.head_dim_max))
    return list(dict.fromkeys(dims))


def _additions(limits: Limits, mask: dict[str, Any], n: int) -> dict[str, Any]:
    """Softcap, sinks, ALiBi and uneven lengths where claimed: some alone, some together."""
    more: dict[str, Any] = {
        "softcap": 4.0 * (limits.softcap and n % 3 == 0),
        "sinks": limits.sinks and n % 4 == 1,
        "params": params_of(mask.get("params", {}) | {"alibi": limits.alibi and n % 3 == 1}),
    }
    if limits.uneven_lengths and n % 2 and mask.get("pattern", "") in ("", "strided"):
        more |= {"lengths": "uniform", "lengths_seed": 5, "batch": 3}
    return more


def _cells(limits: Limits, direction: str) -> Iterator[tuple[str, str, str]]:
    """(mask, heads, lengths): every mask × lengths; square ones with all heads, others by turns.

    ``backward`` and ``forward_backward`` go through the same backward pass: they share the cells,
    every other for each.
    """
    count = 0
    for m, mask in enumerate(limits.masks):
        dense = MASKS[mask].get("pattern", "strided") == "strided"
        lengths = LENGTHS if dense else ("square",)  # for self-attention over more than a block
        for i, name in enumerate(lengths):
            turn = tuple(HEADS)[(m + i) % len(HEADS)]
            for heads in HEADS if name == "square" else (turn,):
                count += 1
                if direction == "forward" or (direction == "backward") == bool(count % 2):
                    yield mask, heads, name


def _lengths(limits: Limits, name: str) -> tuple[int, int]:
    """Query and key lengths, as much longer as there must be a multiple of some keys."""
    sq, sk = LENGTHS[name]
    whole = -(-sk // limits.seq_k_multiple) * limits.seq_k_multiple
    return whole if sq == sk else sq, whole


def cases(limits: Limits, dtype: str, direction: str) -> Iterator[list[Problem]]:
    """Each claimed mask × grouping × pair of lengths, going round head dims and what is added.

    A list holds what stands for one case: its first problem that the kernel doesn't refuse is run.
    """
    dims = head_dims(limits)
    for n, (name, heads, lengths) in enumerate(_cells(limits, direction)):
        mask, (hq, hkv), (sq, sk) = MASKS[name], HEADS[heads], _lengths(limits, lengths)
        yield [
            Problem(
                heads_q=hq, heads_kv=hkv, seq_q=sq, seq_k=sk, head_dim_qk=dqk, head_dim_v=dv,
                dtype=dtype, direction=direction, **mask | _additions(limits, mask, n),
            )
            for dqk, dv in dims[n % len(dims) :] + dims[: n % len(dims)]
        ]  # fmt: skip
