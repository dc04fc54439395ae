"""Closed forms against counting, one pair and one byte at a time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from harness.errors import InvalidProblem
from harness.model import Problem, params_of
from harness.operators.attention import cost
from harness.operators.attention.pairs import seen_by_batch
from tests.operators.problems import (
    BIGBIRD,
    PATTERNS,
    attention,
    dense_mask,
    least_bytes,
    problems,
    sequences,
)


@settings(max_examples=400, deadline=None)
@given(problems())
def test_visible_pairs_equal_the_dense_mask(problem: Problem) -> None:
    assert cost.visible_pairs(problem) == int(dense_mask(problem).sum())
    each = [dense_mask(alone) for alone in sequences(problem)]
    found = seen_by_batch(problem)
    assert found.pairs == sum(int(mask.sum()) for mask in each)
    assert found.rows == sum(int(mask.any(1).sum()) for mask in each)
    assert found.keys == sum(int(mask.any(0).sum()) for mask in each)


@settings(max_examples=100, deadline=None)
@given(problems())
def test_flops_equal_the_matrix_products_over_visible_pairs(problem: Problem) -> None:
    """Forward: q·k and p·v. Backward: q·k again, dO·v, ds·k, dsᵀ·q, pᵀ·dO."""
    pairs = sum(int(dense_mask(p).sum()) for p in sequences(problem)) * problem.heads_q
    qk, pv = 2 * pairs * problem.head_dim_qk, 2 * pairs * problem.head_dim_v
    forward, backward = qk + pv, qk + pv + qk + qk + pv
    want = {"forward": forward, "backward": backward, "forward_backward": forward + backward}
    assert cost.flops(problem) == want[problem.direction]


@settings(max_examples=200, deadline=None)
@given(problems())
def test_least_bytes_equal_the_elements_that_are_needed(problem: Problem) -> None:
    # the sinks are read once a pass, not once a sequence, and their gradient is written once
    sinks = {"forward": 1, "backward": 2, "forward_backward": 3}[problem.direction]
    sinks *= problem.sinks * problem.heads_q * problem.element_bytes
    assert cost.min_bytes(problem) == sinks + sum(least_bytes(p) for p in sequences(problem))


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
        {"pattern": "bigbrid"},
        {"lengths": "uniform", "batch": 1},
        {"lengths_seed": 3},
        {"kv_dtype": "int8"},
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
    if problem.causal and problem.window_left == 0:
        with pytest.raises(InvalidProblem, match="sees its own position alone"):
            cost.validate(problem)
    else:
        cost.validate(problem)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"params": {"block": 64}}, "doesn't know params.block=64: it takes no parameters"),
        ({"params": {"stride": 4}}, "doesn't know params.stride=4"),
        ({"pattern": "strided", "params": {"stride": 4}}, r"needs params.local: set \+workload"),
        (
            {"pattern": "strided", "params": {"stride": 1, "local": 4}},
            "stride must be .* 2 or",
        ),
        ({"pattern": "strided", "params": {"stride": 4, "local": 0}}, "local must be .* 1 or more"),
        ({"pattern": "strided", "params": {"stride": 4.5, "local": 1}}, "not 4.5"),
        ({"pattern": "document", "params": {"documents": 1, "seed": 0}}, "2 or more, not 1"),
        ({"pattern": "document", "params": {"documents": 24, "seed": 0}}, "more than .* 23 tokens"),
        (
            {"pattern": "document", "params": {"documents": 2, "seed": 0}, "seq_q": 9},
            "seq_q=9",
        ),
        (
            {"pattern": "block_sparse", "params": {"block": 4, "keep": 0, "seed": 0}},
            "keep=0 must",
        ),
        (
            {"pattern": "block_sparse", "params": {"block": 0, "keep": 1, "seed": 0}},
            "block must",
        ),
        ({"pattern": "block_sparse", "params": {"block": 99, "keep": 1, "seed": 0}}, "23 tokens"),
        ({**PATTERNS["bigbird"], "window_left": 3}, "window_left and window_right must be null"),
        ({**PATTERNS["bigbird"], "lengths": "uniform"}, "drawn for one length"),
        ({"pattern": "bigbird", "params": {**dict(BIGBIRD), "window_blocks": 2}}, "must be odd"),
        ({"pattern": "bigbird", "params": {**dict(BIGBIRD), "seed": -1}}, "seed must be"),
        ({"lengths": "normal"}, "lengths='normal' is no known distribution"),
        ({"params": {"alibi": "yes"}}, "alibi='yes' must be true or false"),
        ({"causal": True, "window_left": 0}, "sees its own position alone"),
        ({"window_left": 0, "window_right": 0}, "sees its own position alone"),
    ],
    ids=str,
)
def test_bad_masks_are_refused_with_the_reason(given: dict[str, Any], reason: str) -> None:
    params = params_of(dict(given.get("params", {})))
    with pytest.raises(InvalidProblem, match=reason):
        cost.validate(attention(**given | {"params": params}))
