"""Decode: the oracle against other forms of the same, and its costs against counting."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from harness.errors import InvalidProblem
from harness.model import Problem
from harness.operators import cost_model
from harness.operators.attention import oracle
from harness.operators.attention.oracle import Heads
from harness.operators.caches import QUANTISED, stored_rows, streams, token_rows
from harness.operators.decode import cost, reference
from harness.operators.gates import judge
from tests.operators.cache_problems import absorbed_steps, attend, decode, steps, tokens
from tests.operators.problems import dense_mask

CPU = torch.device("cpu")
SEED = 5


def outputs(problem: Problem) -> torch.Tensor:
    return torch.from_numpy(reference.expected(problem, SEED).outputs["out"])


@settings(max_examples=30, deadline=None)
@given(steps())
def test_the_oracle_is_attention_over_the_tokens_that_the_cache_holds(problem: Problem) -> None:
    """The oracle never looks at the tensors that kernels get: here they are read token by token."""
    p, inputs = problem, reference.make_inputs(problem, SEED, CPU, "BHSD")
    want = [
        torch.stack(
            [
                attend(p, inputs["q"][b, h * p.group + g].double(), *(
                    tokens(p, inputs, name, b, h) for name in streams(p)
                ))
                for g in range(p.group)
            ]
        )
        for b in range(p.batch)
        for h in range(p.heads_kv)
    ]  # fmt: skip
    assert_close(outputs(p), torch.stack(want), atol=1e-10, rtol=1e-10)


def test_a_paged_cache_holds_the_same_sequences_as_a_contiguous_one() -> None:
    contiguous = outputs(decode())
    for size in (1, 4, 24):
        paged = decode(cache="paged", page_size=size)
        assert_close(outputs(paged), contiguous, atol=0, rtol=0)


@settings(max_examples=20, deadline=None)
@given(steps(), st.data())
def test_splits_of_the_context_merged_by_log_sum_exp_are_the_whole(
    problem: Problem, data: st.DataObject
) -> None:
    """Flash-Decoding's identity, cut anywhere: a part may be empty or hidden from every query."""
    context = problem.lengths_k[0]
    one = replace(cost.one_sequence(problem, context), heads_q=1, heads_kv=1, dtype="fp64")
    torch.manual_seed(0)
    sizes = ((one.seq_q, one.head_dim_qk), (context, one.head_dim_qk), (context, one.head_dim_v))
    q, k, v = (torch.randn(*size, dtype=torch.float64) for size in sizes)
    whole = oracle.forward(Heads(q[None], k, v), torch.arange(one.seq_q), one).value[0]
    cuts = sorted(data.draw(st.lists(st.integers(0, context), max_size=5)))
    scores = (q @ k.T * one.effective_scale).masked_fill(~dense(one), -torch.inf)
    edges = [0, *cuts, context]
    parts, lses = [], []
    for start, end in itertools.pairwise(edges):
        lses.append(torch.logsumexp(scores[:, start:end], -1))
        weights = torch.softmax(scores[:, start:end], -1).nan_to_num()
        parts.append(weights @ v[start:end])
    shares = torch.softmax(torch.stack(lses), 0).nan_to_num()
    merged = (shares[..., None] * torch.stack(parts)).sum(0)
    assert_close(merged, whole, atol=1e-10, rtol=1e-10)


def dense(problem: Problem) -> torch.Tensor:
    return torch.from_numpy(dense_mask(problem))


def test_pages_are_shuffled_and_each_is_used_once() -> None:
    table = decode(batch=9, seq_k=64, cache="paged", page_size=4).page_table
    assert table is not None
    flat = [page for pages in table for page in pages]
    assert sorted(flat) == list(range(len(flat)))
    assert sum(b == a + 1 for a, b in itertools.pairwise(flat)) < len(flat) / 4
    assert table != decode(batch=9, seq_k=64, cache="paged", page_size=4, lengths_seed=1).page_table


def test_page_tables_and_lengths_are_pinned() -> None:
    """They belong to a problem's identity: a series continues only if they stay."""
    p = decode(batch=4, seq_k=8, cache="paged", page_size=4)
    assert p.lengths_k == (8, 7, 8, 3)
    assert p.page_table == ((0, 1), (5, 6), (2, 4), (3,))


@settings(max_examples=30, deadline=None)
@given(steps() | absorbed_steps())
def test_costs_are_those_of_counting_pairs_tokens_and_pages(problem: Problem) -> None:
    """Of both operators that read a cache; absorbed MLA keeps one entry a token for k and v."""
    p, costs = problem, cost_model(problem.operator)
    pairs = rows = keys = 0
    pages = set()
    for b, context in enumerate(p.lengths_k):
        used: set[int] = set()
        for i in range(p.seq_q):
            position = i + context - p.seq_q
            left = context if p.window_left is None else p.window_left
            seen = {
                j
                for j in range(context)
                if not p.causal or (j <= position and position - j <= left)
            }
            pairs += len(seen)
            rows += bool(seen)
            used |= seen
        keys += len(used)
        pages |= {(b, j // p.page_size) for j in used if p.page_size}
    assert costs.flops(p) == 2 * pairs * p.heads_q * (p.head_dim_qk + p.head_dim_v)
    size = {"": p.element_bytes, "int8": 1, "fp8_e4m3": 1}[p.kv_dtype]
    entries = {"decode": (p.head_dim_qk, p.head_dim_v), "mla": (p.head_dim_qk,)}[p.operator]
    scales = len(entries) * 4 * p.heads_kv if p.kv_dtype else 0
    moved = p.heads_q * (rows * p.head_dim_qk + p.batch * p.seq_q * p.head_dim_v)
    moved = moved * p.element_bytes + keys * p.heads_kv * sum(entries) * size
    moved += 4 * (p.batch + len(pages)) + scales
    assert costs.min_bytes(p) == moved
    inputs = reference.make_inputs(p, 0, CPU, "BHSD")
    held = sum(t.nbytes for name, t in inputs.items() if name not in ("q", "lengths", "page_table"))
    table = p.page_table
    held += 0 if table is None else 4 * sum(map(len, table))
    assert costs.kv_cache_bytes(p) == held


def test_quantities_of_llama_3_8b() -> None:
    """FIELD.md §4: GQA-8 keeps 2,048 elements a token; a step reads each once."""
    llama = decode(
        batch=1, heads_q=32, heads_kv=8, seq_q=1, seq_k=4096, head_dim_qk=128, head_dim_v=128,
        dtype="bf16", lengths="",
    )  # fmt: skip
    assert cost.kv_cache_bytes(llama) == 4096 * 2048 * 2
    assert cost.flops(llama) == 4 * 4096 * 32 * 128
    assert cost.min_bytes(llama) == 4096 * 2048 * 2 + 2 * 2 * 32 * 128 + 4


@pytest.mark.parametrize("kv_dtype", ["int8", "fp8_e4m3"])
def test_a_quantised_cache_is_near_what_it_stands_for(kv_dtype: str) -> None:
    p = decode(seq_k=512, head_dim_qk=64, lengths="", heads_kv=2, kv_dtype=kv_dtype)
    stored = stored_rows(p, SEED, "k", 0, 0)
    assert stored.dtype is QUANTISED[kv_dtype][0]
    plain = token_rows(decode(seq_k=512, head_dim_qk=64, lengths=""), SEED, "k", 0, 0)
    got = token_rows(p, SEED, "k", 0, 0)
    cosine = float((got * plain).sum() / got.norm() / plain.norm())
    assert 0.999 < cosine < 1 - 1e-6
    inputs = reference.make_inputs(p, SEED, CPU, "BHSD")
    assert len({float(s) for s in inputs["k_scale"]}) == 2


@pytest.mark.parametrize("mistake", ["unscaled", "other_head", "half_the_context"])
def test_the_gate_of_a_quantised_cache_sees_mistakes(mistake: str) -> None:
    """Cosine alone is blind to a factor, and to little else: planted mistakes must fail."""
    p = decode(kv_dtype="int8", dtype="fp32", head_dim_qk=32, head_dim_v=32, lengths="", batch=2)
    expected = reference.expected(p, SEED)
    out = torch.from_numpy(expected.outputs["out"])
    assert judge(p, expected, {"out": out.numpy()}).ok
    inputs = reference.make_inputs(p, SEED, CPU, "BHSD")
    if mistake == "unscaled":
        out = out / float(inputs["v_scale"][0])
    elif mistake == "other_head":
        out = out.roll(1, 0)
    else:
        short = reference.expected(decode(**{**p.to_dict(), "params": (), "seq_k": 12}), SEED)
        out = torch.from_numpy(short.outputs["out"])
    verdict = judge(p, expected, {"out": out.numpy()})
    assert not verdict.ok
    assert verdict.reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"cache": ""}, "set workload.cache to contiguous or paged"),
        ({"cache": "ring"}, "not 'ring'"),
        ({"cache": "paged"}, "needs workload.page_size"),
        ({"cache": "paged", "page_size": 7}, "page_size=7 doesn't divide seq_k=24"),
        ({"page_size": 4}, "page_size=4 has no meaning with cache=contiguous"),
        ({"direction": "backward"}, "is inference"),
        ({"seq_q": 25}, "seq_k=24 is too short"),
        ({"dtype": "int8"}, "no dtype='int8'"),
        ({"kv_dtype": "fp16"}, "no cache of kv_dtype='fp16'"),
        ({"sinks": True}, "has no sinks"),
        ({"causal": False, "window_left": 3}, "has no mask window"),
        ({"lengths": "", "lengths_seed": 3}, "lengths_seed=3 has no effect"),
        ({"lengths": "unifrom"}, "Did you mean uniform"),
        ({"params": (("pages", 3),)}, "takes no params"),
    ],
)
def test_what_a_step_cannot_mean_is_refused_with_its_reason(
    given: dict[str, object], reason: str
) -> None:
    with pytest.raises(InvalidProblem, match=reason):
        cost.validate(decode(**given))
