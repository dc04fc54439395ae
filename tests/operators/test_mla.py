"""Multi-head latent attention: absorbed is naive, and both cost what counting says."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from harness.errors import InvalidProblem
from harness.model import Problem, params_of
from harness.operators.attention import oracle
from harness.operators.attention.oracle import Heads
from harness.operators.caches import token_rows
from harness.operators.decode import cost as decode_cost
from harness.operators.mla import cost, reference
from tests.operators.cache_problems import SCALE, absorbed, decode

CPU = torch.device("cpu")


def naive(**given: object) -> Problem:
    fields: dict[str, object] = {
        "operator": "mla", "heads_q": 3, "heads_kv": 3, "seq_q": 9, "seq_k": 9, "head_dim_qk": 12,
        "head_dim_v": 8, "dtype": "fp64", "causal": True, "params": params_of({"rope": 4}),
    }  # fmt: skip
    return Problem(**(fields | given))  # type: ignore[arg-type]


@pytest.mark.parametrize("seq_q", [1, 3, 9])
def test_absorbed_equals_naive(seq_q: int) -> None:
    """q·(W_UK·c) = (q·W_UK)·c, and the sum over tokens commutes with W_UV: to 1e-10 in fp64."""
    heads, context, lora, rope, nope, dv = 3, 17, 12, 4, 8, 6
    torch.manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64)

    w_uk, w_uv = draw(heads, nope, lora), draw(heads, dv, lora)
    q_nope, q_rope = draw(heads, seq_q, nope), draw(heads, seq_q, rope)
    latent, k_rope = draw(context, lora), draw(context, rope)
    rows, scale = torch.arange(seq_q), (nope + rope) ** -0.5

    shape = {"head_dim_qk": nope + rope, "head_dim_v": dv, "seq_q": seq_q, "seq_k": context}
    one = cost.as_attention(naive(heads_q=1, heads_kv=1, **shape))
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

    step = absorbed(heads_q=heads, seq_q=seq_q, seq_k=context, scale=scale, batch=1)
    q = torch.cat([q_nope @ w_uk, q_rope], -1)
    cached = torch.cat([latent, k_rope], -1)
    single = decode_cost.one_sequence(step, context)
    wide = oracle.forward(Heads(q, cached, cached[:, :lora]), rows, single).value
    assert_close(wide @ w_uv.transpose(-1, -2), expanded, atol=1e-10, rtol=1e-10)


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
