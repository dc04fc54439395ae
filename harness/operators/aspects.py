"""What is particular about a problem, in words: the edges that a kernel may get wrong."""

from __future__ import annotations

from harness.model import Problem

TILE = 16
"""The smallest tile of matrix units: a length that it doesn't divide has a rest in any tiling."""
BIG_SCALE = 4.0
"""Scores this many times the usual are big: exp overflows where no maximum is taken off."""


def aspects(problem: Problem) -> dict[str, list[str]]:
    """Words on ``problem`` by group: mask, head dim, shape, extras; an empty group has no words."""
    p = problem
    return {
        "masks": [p.mask],
        "head dims": [str(p.head_dim_qk) + _other(p.head_dim_qk, p.head_dim_v)],
        "shapes": _shapes(p),
        "extras": _extras(p),
    }


def _other(keys: int, values: int) -> str:
    return f"-{values}" if values != keys else ""


def _shapes(p: Problem) -> list[str]:
    lengths = list(zip(p.lengths_q, p.lengths_k, strict=True))
    said = {
        "one token": p.seq_k == 1,
        "one query": p.seq_q == 1 < p.seq_k,
        "no tile's multiple": p.seq_k % TILE != 0 and p.seq_k > 1,
        "Sq ≠ Sk": p.seq_q != p.seq_k,
        "rows that see nothing": p.causal and any(queries > keys for queries, keys in lengths),
        "uneven lengths": bool(p.lengths),
        "one head": p.heads_q == 1,
        "shared key/value heads": p.group > 1,
        "several sequences": p.batch > 1,
    }
    return [name for name, holds in said.items() if holds]


def _extras(p: Problem) -> list[str]:
    said = {
        "softcap": bool(p.softcap),
        "sinks": p.sinks,
        "ALiBi": p.alibi,
        "big scores": p.effective_scale > BIG_SCALE * p.head_dim_qk**-0.5,
        f"{p.cache} cache": bool(p.cache),
        f"{p.kv_dtype} cache": bool(p.kv_dtype),
    }
    return [name for name, holds in said.items() if holds]
