"""Small attention problems, and their mask written down once more, independently of harness."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.model import Problem

MASKS: dict[str, dict[str, Any]] = {
    "full": {},
    "causal": {"causal": True},
    "causal_window": {"causal": True, "window_left": 5},
    "window": {"window_left": 3, "window_right": 6},
    "own_position": {"window_left": 0, "window_right": 0},
    "right_only": {"window_right": 4},
}
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
    """[Sq, Sk] by the words of FIELD.md §3, one pair at a time."""
    mask = np.zeros((problem.seq_q, problem.seq_k), dtype=bool)
    for i in range(problem.seq_q):
        p = i + problem.seq_k - problem.seq_q
        for j in range(problem.seq_k):
            mask[i, j] = (
                (not problem.causal or j <= p)
                and (problem.window_left is None or p - j <= problem.window_left)
                and (problem.window_right is None or j - p <= problem.window_right)
            )
    return mask


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Any mask, lengths 1 to 19 in either order, any direction, MHA, GQA and MQA."""
    size = st.integers(1, 19)
    window = st.none() | st.integers(0, 24)
    causal = draw(st.booleans())
    heads_kv = draw(st.integers(1, 3))
    return attention(
        batch=draw(st.integers(1, 3)),
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
    )
