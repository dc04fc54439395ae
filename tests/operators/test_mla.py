"""Multi-head latent attention: absorbed is naive, and both cost what counting says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from harness.errors import InvalidProblem
from harness.model import Problem, params_of
from harness.operators.attention import oracle
from harness.operators.attention.oracle import Heads
from harness.operators.caches import token_rows
from harness.operators.decode import cost as decode_cost
from harness.operators.mla import cost, reference
from tests.operators.cache_problems import SCALE, absorbed, absorbed_steps, decode
from tests.operators.problems import dense_mask, least_bytes

CPU = torch.device("cpu")


def naive(**given: object) -> Problem:
    fields: dict[str, object] = {
        "operator": "mla", "heads_q": 3, "heads_kv": 3, "seq_q": 9, "seq_k": 9, "head_dim_qk": 12,
        "head_dim_v": 8, "dtype": "fp64", "causal": True, "params": params_of({"rope": 4}),
    }  # fmt: skip
    return Problem(**(fields | given))  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(absorbed_steps(), st.integers(1, 8), st.integers(1, 8))
def test_absorbed_equals_naive(step: Problem, nope: int, dv: int) -> None:
    """q·(W_UK·c) = (q·W_UK)·c, and the sum over tokens commutes with W_UV: to 1e-10 in fp64."""
    heads, seq_q, context = step.heads_q, step.seq_q, step.lengths_k[0]
    lora, rope = cost.latent_dims(step)
    torch.manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64)

    w_uk, w_uv = draw(heads, nope, lora), draw(heads, dv, lora)
    q_nope, q_rope = draw(heads, seq_q, nope), draw(heads, seq_q, rope)
    latent, k_rope = draw(context, lora), draw(context, rope)
    rows, scale = torch.arange(seq_q), (nope + rope) ** -0.5

    shape = {"head_dim_qk": nope + rope, "head_dim_v": dv, "seq_q": seq_q, "seq_k": context}
    mask = {"causal": step.causal, "window_left": step.window_left}
    one = cost.as_attention(naive(heads_q=1, heads_kv=1, **shape, **mask))
    expanded = torch.stack(
        [
            oracle.forward(
                Heads(
                    torch.cat([q_nope[h], q_rope[h]], -1)[None],
                    torch.cat([latent @ w_uk[h].T, k_rope], -1),
                    latent @ w_uv[h].T,
                ),
                rows,
                one,
            ).value[0]
            for h in range(heads)
        ]
    )

    q = torch.cat([q_nope @ w_uk, q_rope], -1)
    cached = torch.cat([latent, k_rope], -1)
    single = decode_cost.one_sequence(replace(step, scale=scale, dtype="fp64"), context)
    wide = oracle.forward(Heads(q, cached, cached[:, :lora]), rows, single).value
    assert_close(wide @ w_uv.transpose(-1, -2), expanded, atol=1e-10, rtol=1e-10)


@st.composite
def naives(draw: st.DrawFn) -> Problem:
    """Any lengths up to 12, mask and direction; one to three heads."""
    heads, rope = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    causal = draw(st.booleans())
    return naive(
        batch=draw(st.integers(1, 2)), heads_q=heads, heads_kv=heads,
        seq_q=draw(st.integers(1, 12)), seq_k=draw(st.integers(1, 12)),
        head_dim_qk=rope + draw(st.integers(1, 5)), head_dim_v=draw(st.integers(1, 6)),
        causal=causal, window_left=draw(st.none() | st.integers(1, 6)) if causal else None,
        dtype=draw(st.sampled_from(["fp64", "bf16"])),
        direction=draw(st.sampled_from(["forward", "backward", "forward_backward"])),
        params=params_of({"kv_lora": draw(st.integers(1, 9)), "rope": rope}),
    )  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(naives())
def test_costs_of_the_naive_form_are_those_of_counting(problem: Problem) -> None:
    """FLOPs a visible pair and a projected token at a time; bytes as attention of these heads."""
    p = problem
    cost.validate(p)
    dqk, dv = p.head_dim_qk, p.head_dim_v
    forward = backward = projected = 0
    for _ in range(p.batch * p.heads_q):
        for _ in range(int(dense_mask(p).sum())):
            forward += 2 * dqk + 2 * dv  # q·k, p·v
            backward += 2 * dqk + 2 * dv + 2 * dqk + 2 * dqk + 2 * dv  # q·k, dO·v, dq, dk, dv
        for _ in range(p.seq_k):
            projected += 2 * p.param("kv_lora") * (dqk - p.param("rope"))  # the key's part
            projected += 2 * p.param("kv_lora") * dv
    want = {"forward": forward, "backward": backward, "forward_backward": forward + backward}
    assert cost.flops(p) == want[p.direction]
    assert cost.up_projection_flops(p) == projected
    assert cost.min_bytes(p) == p.batch * least_bytes(p)
    kept = p.param("kv_lora") + p.param("rope")
    assert cost.kv_cache_bytes(p) == p.batch * p.seq_k * kept * p.element_bytes


def test_keys_and_values_of_the_absorbed_form_are_one_cache() -> None:
    p = absorbed(lengths="", batch=1)
    inputs = reference.make_inputs(p, 2, CPU, "BHSD")
    assert set(inputs) == {"q", "kv_cache", "lengths"}
    rows = token_rows(p, 2, "kv", 0, 0)
    assert torch.equal(inputs["kv_cache"][0, 0], rows)
    weights = torch.softmax(inputs["q"][0, :, -1] @ rows.T * SCALE, -1)
    out = torch.from_numpy(reference.expected(p, 2).outputs["out"])[0, :, -1]
    assert_close(out, weights @ rows[:, :12], atol=1e-10, rtol=1e-10)


def test_quantities_of_deepseek_v3() -> None:
    """FIELD.md §2 and §4: 576 elements a token, where every head's keys and values are 40,960."""
    step = absorbed(
        heads_q=128, head_dim_qk=576, head_dim_v=512, seq_q=1, seq_k=4096, batch=1, dtype="bf16",
        lengths="",
    )  # fmt: skip
    cost.validate(step)
    assert cost.flops(step) == 2 * 4096 * 128 * (576 + 512)
    assert cost.kv_cache_bytes(step) == 4096 * 576 * 2
    assert cost.min_bytes(step) == 2 * (4096 * 576 + 128 * (576 + 512)) + 4
    prefill = naive(
        heads_q=128, heads_kv=128, head_dim_qk=192, head_dim_v=128, seq_q=2048, seq_k=2048,
        dtype="bf16", params=(),
    )  # fmt: skip
    cost.validate(prefill)
    assert cost.flops(prefill) == 2 * (2048 * 2049 // 2) * 128 * (192 + 128)
    assert cost.up_projection_flops(prefill) == 2 * 2048 * 512 * 128 * 256
    assert cost.kv_cache_bytes(prefill) == 2048 * 576 * 2
    every_head = decode(
        heads_q=128, heads_kv=128, head_dim_qk=192, head_dim_v=128, seq_q=1, seq_k=4096, batch=1,
        dtype="bf16", lengths="",
    )  # fmt: skip
    assert decode_cost.kv_cache_bytes(every_head) == 4096 * 40_960 * 2
    assert cost.kv_cache_bytes(absorbed(kv_dtype="fp8_e4m3", lengths="")) == 3 * 24 * 16 + 4


def test_the_naive_form_is_attention_with_its_gradients() -> None:
    found = reference.expected(naive(direction="forward_backward"), 3)
    assert list(found.outputs) == ["out", "dq", "dk", "dv"]
    assert cost.flops(naive(direction="backward")) == 2 * 45 * 3 * (3 * 12 + 2 * 8)


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (naive(heads_kv=1), "heads_kv=1 must be heads_q=3"),
        (naive(params=params_of({"lora": 5})), "no params.lora; it has kv_lora, rope"),
        (naive(params=params_of({"rope": 0})), "params.rope must be a whole number"),
        (naive(params=params_of({"rope": 12})), "head_dim=12 holds the rotated part of 12"),
        (absorbed(heads_kv=2), "one latent for all heads"),
        (absorbed(head_dim_v=16), "must be larger"),
        (absorbed(scale=None), "set workload.scale"),
        (absorbed(params=params_of({"rope": 4})), "takes no params"),
        (absorbed(cache="paged", page_size=5), "doesn't divide"),
    ],
)
def test_what_neither_form_can_mean_is_refused_with_its_reason(
    problem: Problem, reason: str
) -> None:
    with pytest.raises(InvalidProblem, match=reason):
        cost.validate(problem)
