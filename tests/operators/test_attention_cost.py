"""Closed forms against counting, one pair and one byte at a time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from harness.errors import InvalidProblem
from harness.model import Problem
from harness.operators.attention import cost
from tests.operators.problems import attention, dense_mask, problems


@settings(max_examples=400, deadline=None)
@given(problems())
def test_visible_pairs_equal_the_dense_mask(problem: Problem) -> None:
    assert cost.visible_pairs(problem) == int(dense_mask(problem).sum())


@settings(max_examples=100, deadline=None)
@given(problems())
def test_flops_equal_the_matrix_products_over_visible_pairs(problem: Problem) -> None:
    """Forward: q·k and p·v. Backward: q·k again, dO·v, ds·k, dsᵀ·q, pᵀ·dO."""
    pairs = int(dense_mask(problem).sum()) * problem.batch * problem.heads_q
    qk, pv = 2 * pairs * problem.head_dim_qk, 2 * pairs * problem.head_dim_v
    forward, backward = qk + pv, qk + pv + qk + qk + pv
    want = {"forward": forward, "backward": backward, "forward_backward": forward + backward}
    assert cost.flops(problem) == want[problem.direction]


@settings(max_examples=200, deadline=None)
@given(problems())
def test_least_bytes_equal_the_elements_that_are_needed(problem: Problem) -> None:
    p, mask = problem, dense_mask(problem)
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
    assert cost.min_bytes(problem) == p.batch * want[p.direction]


def test_known_figures() -> None:
    llama = attention(
        batch=1, heads_q=32, heads_kv=8, seq_q=2048, seq_k=2048, head_dim_qk=128, head_dim_v=128,
        dtype="bf16", causal=True,
    )  # fmt: skip
    assert cost.visible_pairs(llama) == 2048 * 2049 // 2
    assert cost.flops(llama) == 2 * 2048 * 2049 // 2 * 32 * 256
    assert cost.kv_cache_bytes(llama) == 2 * 2048 * 8 * 256
    assert cost.min_bytes(llama) == 2 * 2048 * (2 * 32 * 128 + 2 * 8 * 128)


def test_a_decode_step_with_a_window_reads_only_the_window() -> None:
    step = attention(batch=1, seq_q=1, seq_k=10_000, causal=True, window_left=127)
    assert cost.visible_pairs(step) == 128
    assert cost.min_bytes(step) == 8 * (4 * (16 + 8) + 2 * 128 * (16 + 8))


def test_lengths_beyond_any_memory_are_counted_exactly() -> None:
    n = 10**9
    assert cost.visible_pairs(attention(seq_q=n, seq_k=n, causal=True)) == n * (n + 1) // 2
    window = attention(seq_q=n, seq_k=n, causal=True, window_left=4095)
    assert cost.visible_pairs(window) == 4096 * 4097 // 2 + (n - 4096) * 4096


def test_counting_takes_microseconds() -> None:
    """Planning counts 100,000 cells. The best of many rounds, as the machine may be busy."""
    problem = attention(seq_q=4096, seq_k=4096, causal=True)
    best = np.inf
    for _ in range(30):
        start = time.perf_counter()
        for _ in range(50):
            cost.flops(problem)
        best = min(best, (time.perf_counter() - start) / 50)
    assert best < 20e-6


@pytest.mark.parametrize(
    "field",
    [
        {"cache": "paged", "page_size": 16},
        {"pattern": "bigbird"},
        {"lengths": "uniform"},
        {"kv_dtype": "int8"},
        {"sinks": True},
        {"params": (("block", 64),)},
        {"dtype": "fp8_e4m3"},
        {"dtype": "tf32"},
    ],
    ids=lambda f: next(iter(f)),
)
def test_what_attention_cannot_mean_is_refused_by_name(field: dict[str, Any]) -> None:
    name, value = next(iter(field.items()))
    with pytest.raises(InvalidProblem) as refused:
        cost.validate(attention(**field))
    assert f"{name}={value!r}" in str(refused.value)


@settings(max_examples=50, deadline=None)
@given(problems())
def test_what_attention_means_is_accepted(problem: Problem) -> None:
    cost.validate(problem)
