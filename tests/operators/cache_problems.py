"""Small problems over KV caches, and what a cache's tensors hold, read back the slow way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from harness.model import Problem

SCALE = 192**-0.5


def decode(**given: Any) -> Problem:
    """A GQA decode step of uneven contexts in fp64, with what is given in place of its defaults."""
    fields: dict[str, Any] = {
        "operator": "decode", "batch": 3, "heads_q": 4, "heads_kv": 2, "seq_q": 2, "seq_k": 24,
        "head_dim_qk": 8, "head_dim_v": 5, "dtype": "fp64", "cache": "contiguous", "causal": True,
        "lengths": "uniform",
    }  # fmt: skip
    return Problem(**(fields | given))


def absorbed(**given: Any) -> Problem:
    """Absorbed MLA with a latent of 12 and 4 rotated elements."""
    shape = {"heads_kv": 1, "head_dim_qk": 16, "head_dim_v": 12, "scale": SCALE}
    return decode(**({"operator": "mla"} | shape | given))


@st.composite
def steps(draw: st.DrawFn) -> Problem:
    """Any cache, mask, grouping, type and distribution of contexts; contexts up to 24 tokens."""
    cache = draw(st.sampled_from(["contiguous", "paged"]))
    seq_k, heads_kv = draw(st.integers(1, 24)), draw(st.integers(1, 3))
    causal = draw(st.booleans())
    divisors = [n for n in range(1, seq_k + 1) if seq_k % n == 0]
    lengths = draw(st.sampled_from(["", "uniform", "skewed"]))
    return decode(
        batch=draw(st.integers(1, 4)), heads_kv=heads_kv,
        heads_q=heads_kv * draw(st.integers(1, 3)), seq_q=draw(st.integers(1, seq_k)),
        seq_k=seq_k, head_dim_qk=draw(st.integers(1, 6)), head_dim_v=draw(st.integers(1, 6)),
        dtype=draw(st.sampled_from(["fp64", "bf16"])),
        kv_dtype=draw(st.sampled_from(["", "int8", "fp8_e4m3"])), causal=causal, cache=cache,
        window_left=draw(st.none() | st.integers(0, 9)) if causal else None, lengths=lengths,
        lengths_seed=draw(st.integers(0, 5)) if lengths else 0,
        page_size=draw(st.sampled_from(divisors)) if cache == "paged" else 0,
    )  # fmt: skip


@st.composite
def absorbed_steps(draw: st.DrawFn) -> Problem:
    """As ``steps``, of absorbed MLA: one latent and 1 to 4 rotated elements for 1 to 4 heads."""
    step = draw(steps())
    rope = draw(st.integers(1, 4))
    return replace(
        step, operator="mla", heads_q=draw(st.integers(1, 4)), heads_kv=1, scale=SCALE,
        head_dim_qk=step.head_dim_v + rope,
    )  # fmt: skip


def tokens(problem: Problem, inputs: dict[str, Tensor], name: str, b: int, h: int) -> Tensor:
    """[length, dim] fp64 of one sequence and head, token by token, as the page table says."""
    cache, length = inputs[f"{name}_cache"], int(inputs["lengths"][b])
    rows = []
    for j in range(length):
        if problem.page_size:
            page = int(inputs["page_table"][b, j // problem.page_size])
            rows.append(cache[page, h, j % problem.page_size])
        else:
            rows.append(cache[b, h, j])
    out = torch.stack(rows).double()
    if problem.kv_dtype:
        out = out * inputs[f"{name}_scale"][h].double()
    return out


def attend(problem: Problem, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """[Sq, Dv]: one query head over a sequence's tokens, one query and one key at a time."""
    out = torch.zeros(len(q), v.shape[1], dtype=torch.float64)
    for i in range(len(q)):
        p = i + len(k) - len(q)
        left = problem.window_left
        seen = [
            j
            for j in range(len(k))
            if (not problem.causal or j <= p) and (left is None or p - j <= left)
        ]
        if seen:
            weights = torch.softmax(k[seen] @ q[i] * problem.effective_scale, 0)
            out[i] = weights @ v[seen]
    return out
