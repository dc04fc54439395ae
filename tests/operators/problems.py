"""Small attention problems, and their mask written down once more, independently of harness."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.model import Problem, params_of

MASKS: dict[str, dict[str, Any]] = {
    "full": {},
    "causal": {"causal": True},
    "causal_window": {"causal": True, "window_left": 5},
    "window": {"window_left": 3, "window_right": 6},
    "own_position": {"window_left": 0, "window_right": 0},
    "right_only": {"window_right": 4},
}
BIGBIRD = (
    ("block", 3), ("global_blocks", 1), ("random_blocks", 2), ("seed", 4), ("window_blocks", 3),
)  # fmt: skip
PATTERNS: dict[str, dict[str, Any]] = {
    "strided": {"pattern": "strided", "params": (("local", 3), ("stride", 5))},
    "bigbird": {"pattern": "bigbird", "params": BIGBIRD},
    "bigbird_causal": {"pattern": "bigbird", "params": BIGBIRD, "causal": True},
    "block_sparse": {
        "pattern": "block_sparse",
        "params": (("block", 4), ("keep", 0.3), ("seed", 2)),
    },
    "document": {"pattern": "document", "params": (("documents", 4), ("seed", 1))},
    "document_window": {
        "pattern": "document",
        "params": (("documents", 4), ("seed", 1)),
        "causal": True,
        "window_left": 3,
    },
}
"""Masks for queries and keys of one length; strided takes any."""
MASKS["strided"] = PATTERNS["strided"]
MORE: dict[str, dict[str, Any]] = {
    "sinks": {"sinks": True},
    "alibi": {"params": (("alibi", True),)},
    "lengths": {"lengths": "uniform", "lengths_seed": 3},
}
"""What joins a mask without being one."""
LENGTHS = {
    "square": (23, 23),
    "longer_keys": (9, 31),
    "longer_queries": (31, 9),
    "one_query": (1, 17),
}


def attention(**given: Any) -> Problem:
    """A small GQA problem in fp64, with what is given in place of its defaults."""
    fields: dict[str, Any] = {
        "batch": 2,
        "heads_q": 4,
        "heads_kv": 2,
        "seq_q": 23,
        "seq_k": 23,
        "head_dim_qk": 16,
        "head_dim_v": 8,
        "dtype": "fp64",
    }
    return Problem(**(fields | given))


def dense_mask(problem: Problem) -> NDArray[np.bool_]:
    """[Sq, Sk] by the words of FIELD.md §3, one pair at a time, and patterns as painted ranges."""
    mask = np.zeros((problem.seq_q, problem.seq_k), dtype=bool)
    for i in range(problem.seq_q):
        p = i + problem.seq_k - problem.seq_q
        for j in range(problem.seq_k):
            mask[i, j] = (
                (not problem.causal or j <= p)
                and (problem.window_left is None or p - j <= problem.window_left)
                and (problem.window_right is None or j - p <= problem.window_right)
            )
    return mask & painted(problem) if problem.pattern else mask


def painted(problem: Problem) -> NDArray[np.bool_]:
    """[Sq, Sk] a pattern as ranges of keys, rectangles and squares; the rest stays closed."""
    canvas = np.zeros((problem.seq_q, problem.seq_k), dtype=bool)
    given = dict(problem.params)
    if problem.pattern == "strided":
        for i in range(problem.seq_q):
            p = i + problem.seq_k - problem.seq_q
            if p >= 0:
                canvas[i, max(0, p - given["local"] + 1) : p + 1] = True
                canvas[i, p % given["stride"] : p + 1 : given["stride"]] = True
    elif problem.pattern == "document":
        assert problem.document_starts is not None
        edges = [*problem.document_starts, problem.seq_k]
        for start, end in itertools.pairwise(edges):
            canvas[start:end, start:end] = True
    else:
        assert problem.block_table is not None
        size = given["block"]
        for row, columns in enumerate(problem.block_table):
            for column in columns:
                down, right = row * size, column * size
                canvas[down : down + size, right : right + size] = True
    return canvas


def least_bytes(p: Problem) -> int:
    """What one sequence needs moved, without its sinks: elements of rows that the mask touches."""
    mask = dense_mask(p)
    rows, keys = int(mask.any(1).sum()), int(mask.any(0).sum())
    q, out = rows * p.head_dim_qk, rows * p.head_dim_v
    kv = keys * (p.head_dim_qk + p.head_dim_v)
    forward = p.heads_q * (q + p.seq_q * p.head_dim_v) + p.heads_kv * kv
    grads = p.heads_q * p.seq_q * p.head_dim_qk
    grads += p.heads_kv * p.seq_k * (p.head_dim_qk + p.head_dim_v)
    backward = p.heads_q * (q + 2 * out) + p.heads_kv * kv + grads
    lse = 4 * p.heads_q * rows
    want = {
        "forward": forward * p.element_bytes,
        "backward": backward * p.element_bytes + lse,
        "forward_backward": (forward + backward) * p.element_bytes + 2 * lse,
    }
    return want[p.direction]


def sequences(problem: Problem) -> list[Problem]:
    """Each sequence of the batch as a problem of its own, at its actual lengths."""
    return [
        replace(problem, batch=1, seq_q=q, seq_k=k, lengths="", lengths_seed=0)
        for q, k in zip(problem.lengths_q, problem.lengths_k, strict=True)
    ]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Any mask, lengths 1 to 19 in either order, any direction, MHA, GQA and MQA."""
    size = st.integers(1, 19)
    window = st.none() | st.integers(0, 24)
    causal = draw(st.booleans())
    heads_kv = draw(st.integers(1, 3))
    more = draw(st.sampled_from([{}, *MORE.values()]))
    if draw(st.integers(0, 3)) == 0:
        return draw(patterned(heads_kv))
    return attention(
        batch=draw(st.integers(2 if "lengths" in more else 1, 3)),
        heads_kv=heads_kv,
        heads_q=heads_kv * draw(st.integers(1, 3)),
        seq_q=draw(size),
        seq_k=draw(size),
        head_dim_qk=draw(st.integers(1, 9)),
        head_dim_v=draw(st.integers(1, 9)),
        dtype=draw(st.sampled_from(["fp64", "fp32", "fp16", "bf16"])),
        causal=causal,
        window_left=draw(window),
        window_right=None if causal else draw(window),
        direction=draw(st.sampled_from(["forward", "backward", "forward_backward"])),
        **more,
    )


@st.composite
def patterned(draw: st.DrawFn, heads_kv: int) -> Problem:
    """Any pattern with any parameters, lengths 2 to 30, blocks cut at the end or not."""
    count, tokens = st.integers(0, 3), draw(st.integers(2, 30))
    pattern = draw(st.sampled_from(["strided", "bigbird", "block_sparse", "document"]))
    seq_q = draw(st.integers(1, 30)) if pattern == "strided" else tokens
    params = {
        "strided": {"local": draw(st.integers(1, 12)), "stride": draw(st.integers(2, 12))},
        "bigbird": {
            "global_blocks": draw(count), "random_blocks": draw(count),
            "window_blocks": draw(st.sampled_from([1, 3, 5])),
        },
        "block_sparse": {"keep": draw(st.sampled_from([0.01, 0.25, 0.5, 1.0]))},
        "document": {"documents": draw(st.integers(2, tokens))},
    }[pattern]  # fmt: skip
    if pattern in ("bigbird", "block_sparse"):
        params["block"] = draw(st.integers(1, tokens))
    if pattern != "strided":
        params["seed"] = draw(st.integers(0, 9))
    return attention(
        heads_q=heads_kv * draw(st.integers(1, 2)),
        heads_kv=heads_kv,
        seq_q=seq_q,
        seq_k=tokens,
        causal=draw(st.booleans()),
        window_left=draw(st.none() | st.integers(1, 6)) if pattern == "document" else None,
        direction=draw(st.sampled_from(["forward", "backward"])),
        pattern=pattern,
        params=params_of(params),
    )
