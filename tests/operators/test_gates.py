"""Right outputs pass in every dtype; planted mistakes don't, and the reason names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.model import Problem
from harness.operators.attention import reference
from harness.operators.base import Expected, Gate, WrongOutput
from harness.operators.gates import Judgement, judge, row_scales
from harness.operators.inputs import TORCH_DTYPES
from harness.operators.masks import visible
from tests.operators.problems import MASKS, attention

CPU = torch.device("cpu")
DTYPES = list(TORCH_DTYPES)


def plain(
    problem: Problem,
    x: dict[str, Tensor],
    *,
    shift: int = 0,
    scale: float | None = None,
    interleave: bool = True,
) -> Tensor:
    """Attention in plain torch with room for mistakes, BHSD."""
    k, v = x["k"], x["v"]
    if interleave:
        k, v = (t.repeat_interleave(problem.group, dim=1) for t in (k, v))
    else:
        k, v = (t.repeat(1, problem.group, 1, 1) for t in (k, v))
    s = x["q"] @ k.transpose(-1, -2) * (problem.effective_scale if scale is None else scale)
    rows, keys = torch.arange(problem.seq_q)[:, None], torch.arange(problem.seq_k)[None]
    seen = visible(problem, rows + shift, keys)
    if seen is not None:
        s = s.masked_fill(~seen, -torch.inf)
    wide = torch.promote_types(s.dtype, torch.float32)
    return torch.softmax(s, -1, dtype=wide).nan_to_num().to(v.dtype) @ v


def judged(
    problem: Problem,
    attend: Callable[[dict[str, Tensor]], Tensor],
    seed: int = 1,
    changed: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None,
) -> Judgement:
    x = reference.make_inputs(problem, seed, CPU, "BHSD")
    outputs = {"out": attend(x)}
    if problem.direction != "forward":
        names = [n for n in reference.DIFFERENTIABLE if n in x]
        grads = torch.autograd.grad(outputs["out"], [x[n] for n in names], x["grad_out"])
        outputs |= zip([f"d{n}" for n in names], grads, strict=True)
    outputs |= changed(outputs) if changed else {}
    selected = reference.select(problem, seed, outputs, "BHSD")
    return judge(problem, reference.expected(problem, seed), selected)


def with_sinks(problem: Problem, x: dict[str, Tensor]) -> Tensor:
    """One more column for the softmax to share out to, without a value (gpt-oss's eager form)."""
    k, v = (x[n].repeat_interleave(problem.group, 1) for n in "kv")
    s = x["q"] @ k.mT * problem.effective_scale
    i, j = torch.arange(problem.seq_q)[:, None], torch.arange(problem.seq_k)
    s = s.masked_fill(j > i + problem.seq_k - problem.seq_q, -torch.inf)
    column = x["sinks"].view(1, -1, 1, 1).expand(*s.shape[:3], 1)
    wide = torch.promote_types(s.dtype, torch.float32)
    weights = torch.softmax(torch.cat([s, column], -1), -1, dtype=wide)[..., :-1]
    return weights.to(v.dtype) @ v


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seq_q", [40, 23, 60])
def test_the_gradient_of_sinks_is_judged(dtype: str, seq_q: int) -> None:
    """Right passes; forgotten, of the other sign, a fifth too large, or of other heads doesn't."""
    problem = attention(
        dtype=dtype, direction="backward", seq_q=seq_q, seq_k=40, causal=True, sinks=True
    )

    def attend(x: dict[str, Tensor]) -> Tensor:
        return with_sinks(problem, x)

    for seed in range(2):
        found = judged(problem, attend, seed)
        assert found.ok, found.reason
    for wrong in (
        lambda right: {"dsinks": torch.zeros_like(right["dsinks"])},
        lambda right: {"dsinks": -right["dsinks"]},
        lambda right: {"dsinks": right["dsinks"] * 1.2},
        lambda right: {"dsinks": right["dsinks"].roll(1)},
    ):
        assert judged(problem, attend, 1, wrong).reason.startswith("dsinks: ")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mask", list(MASKS))
def test_a_right_output_passes(dtype: str, mask: str) -> None:
    for seed in range(2):
        problem = attention(dtype=dtype, direction="forward_backward", seq_k=40, **MASKS[mask])
        found = judged(problem, lambda x, p=problem: plain(p, x), seed)
        assert found.ok, found.reason
        assert found.reason == ""
        assert found.accuracy is not None
        assert found.accuracy.cosine > 0.999
        assert found.accuracy.checked_share == 1
        assert "≤" in found.accuracy.gate


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
@pytest.mark.parametrize("seed", range(4))
def test_weights_too_small_for_the_dtype_are_no_wrong_factor(dtype: str, seed: int) -> None:
    """Of scores around 30 most weights are cut to 0, and whole rows of dv are one weight's error.

    Plain torch has such a slope too. A factor on top of it still fails.
    """
    problem = attention(
        dtype=dtype, direction="backward", heads_q=4, seq_q=70, seq_k=70, window_left=7,
        window_right=40, head_dim_qk=40, head_dim_v=40, scale=30 * 40**-0.5,
    )  # fmt: skip
    found = judged(problem, lambda x: plain(problem, x), seed)
    assert found.ok, found.reason
    assert not judged(problem, lambda x: plain(problem, x) * 1.1, seed).ok


WRONG: dict[str, Callable[[Problem, dict[str, Tensor]], Tensor]] = {
    "mask one key too far": lambda p, x: plain(p, x, shift=1),
    "mask one key short": lambda p, x: plain(p, x, shift=-1),
    "no 1/sqrt(d)": lambda p, x: plain(p, x, scale=1.0),
    "wrong head's keys": lambda p, x: plain(p, x, interleave=False),
    "five per cent too large": lambda p, x: plain(p, x) * 1.05,
    "last tile zero": lambda p, x: plain(p, x).index_fill(2, torch.arange(p.seq_q - 8, p.seq_q), 0),
    "last head zero": lambda p, x: plain(p, x).index_fill(1, torch.tensor(p.heads_q - 1), 0),
    "all zero": lambda p, x: plain(p, x) * 0,
    "the values' mean": lambda p, x: plain(p, x) * 0 + x["v"].mean(),
    "rows reversed": lambda p, x: plain(p, x).flip(2),
    "transposed layout": lambda p, x: plain(p, x).transpose(1, 2).reshape(
        p.batch, p.heads_q, p.seq_q, p.head_dim_v
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
@pytest.mark.parametrize("length", [64, 1024])
def test_a_planted_mistake_fails(dtype: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 1,024 tokens only a sample is looked at, and late rows are a thirtieth of the first."""
    if length == 1024:
        monkeypatch.setattr(reference, "WHOLE_FLOPS", 0)
        monkeypatch.setattr(reference, "SAMPLE_ROWS", 64)
    problem = attention(dtype=dtype, batch=1, seq_q=length, seq_k=length, causal=True)
    x, word = reference.make_inputs(problem, 1, CPU, "BHSD"), reference.expected(problem, 1)
    assert (word.share < 1) == (length == 1024)

    def verdict(out: Tensor) -> Judgement:
        return judge(problem, word, reference.select(problem, 1, {"out": out}, "BHSD"))

    right = verdict(plain(problem, x))
    assert right.ok, right.reason
    for mistake, attend in WRONG.items():
        wrong = verdict(attend(problem, x))
        assert not wrong.ok, mistake
        assert wrong.reason.startswith("out: "), mistake
        assert wrong.accuracy is not None
        assert np.isfinite([wrong.accuracy.max_error, wrong.accuracy.rmse_ratio]).all()


def test_zeros_in_the_last_tile_hide_below_the_bound_on_the_largest_error() -> None:
    """Why rows are judged on their own scale: at 64k tokens the rule on max error is blind."""
    problem = attention(
        batch=1, heads_q=1, heads_kv=1, seq_q=65536, seq_k=65536, causal=True, dtype="bf16",
    )  # fmt: skip
    word = reference.expected(problem, 1)
    selected = {"out": word.outputs["out"].copy()}
    assert judge(problem, word, selected).ok
    selected["out"][..., -4:, :] = 0
    found = judge(problem, word, selected)
    assert not found.ok
    assert found.reason.startswith("out: row_error")
    blind = Expected(word.outputs, word.baseline_max_error, word.share)
    assert judge(problem, blind, selected).ok


@pytest.mark.parametrize("name", ["dq", "dk", "dv"])
def test_a_wrong_gradient_fails_by_its_name(name: str) -> None:
    problem = attention(dtype="bf16", direction="backward", causal=True)
    word = reference.expected(problem, 1)
    selected = {n: a.copy() for n, a in word.outputs.items()}
    assert judge(problem, word, selected).ok
    selected[name][-1] *= 1.2
    found = judge(problem, word, selected)
    assert not found.ok
    assert found.reason.startswith(f"{name}: ")


def test_low_precision_inside_a_wide_kernel_fails() -> None:
    for dtype, narrow in (("fp64", torch.float32), ("fp32", torch.float16)):
        problem = attention(dtype=dtype)

        def narrowed(x: dict[str, Tensor], p: Problem = problem, to: Any = narrow) -> Tensor:
            return plain(p, {n: t.to(to) for n, t in x.items()}).to(TORCH_DTYPES[p.dtype])

        assert not judged(problem, narrowed).ok


def test_a_row_that_sees_nothing_must_be_exactly_zero() -> None:
    problem = attention(dtype="bf16", seq_q=30, seq_k=20, causal=True)
    assert judged(problem, lambda x: plain(problem, x)).ok
    found = judged(problem, lambda x: plain(problem, x).index_fill(2, torch.tensor(3), 1e-4))
    assert not found.ok
    assert "sees nothing" in found.reason


def test_a_gradient_that_is_zero_but_for_rounding_has_finite_figures() -> None:
    """Over one key the softmax is constant: dq and dk are 0, and the oracle says 1e-17."""
    problem = attention(dtype="bf16", direction="backward", window_left=0, window_right=0)
    found = judged(problem, lambda x: plain(problem, x))
    assert found.ok, found.reason
    word = reference.expected(problem, 1)
    selected = {n: a + (0.5 if n == "dq" else 0) for n, a in word.outputs.items()}
    wrong = judge(problem, word, selected)
    assert not wrong.ok
    assert wrong.accuracy is not None
    assert all(map(np.isfinite, (wrong.accuracy.rmse_ratio, wrong.accuracy.cosine)))


def test_outputs_that_cannot_be_compared_say_why() -> None:
    problem = attention(dtype="bf16")
    out = torch.zeros(2, 4, 23, 8, dtype=torch.bfloat16)
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "no output out"),
        ({"out": out.tolist()}, "no output out"),
        ({"out": out.float()}, "dtype torch.float32, not torch.bfloat16"),
        ({"out": out.transpose(1, 2)}, r"shape \(2, 23, 4, 8\), not \(2, 4, 23, 8\)"),
    ]
    for outputs, reason in cases:
        with pytest.raises(WrongOutput, match=reason):
            reference.select(problem, 1, outputs, "BHSD")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_bad_element_outside_the_sample_is_found(value: float) -> None:
    problem = attention(dtype="bf16", batch=1, seq_q=4096, seq_k=4096)
    chosen = reference.selection(problem, 1)
    row = next(r for r in range(4096) if r not in chosen.rows_q)
    out = torch.zeros(1, 4, 4096, 8, dtype=torch.bfloat16)
    out[0, 0, row, 0] = value
    with pytest.raises(WrongOutput, match=f"1 NaN or infinite of {out.numel()}"):
        reference.select(problem, 1, {"out": out}, "BHSD")


def word(gate: Gate) -> Expected:
    right = np.random.default_rng(0).standard_normal((1, 1, 50, 8))
    return Expected({"out": right}, {"out": 0.0}, gate=gate)


def test_a_recurrence_can_be_judged_by_its_rmse() -> None:
    problem, found = attention(dtype="bf16"), word(Gate("rmse_ratio", 5e-3))
    assert judge(problem, found, {"out": found.outputs["out"] * 1.004}).ok
    wrong = judge(problem, found, {"out": found.outputs["out"] * 1.006})
    assert not wrong.ok
    assert wrong.reason == "out: rmse_ratio 0.006 above 0.005"


def test_a_quantised_cache_can_be_judged_by_the_angle_but_not_by_it_alone() -> None:
    problem, found = attention(dtype="bf16"), word(Gate("cosine", 0.99))
    noise = np.random.default_rng(1).standard_normal((1, 1, 50, 8))
    assert judge(problem, found, {"out": found.outputs["out"] + 0.1 * noise}).ok
    assert not judge(problem, found, {"out": found.outputs["out"] + 0.3 * noise}).ok
    assert not judge(problem, found, {"out": found.outputs["out"] * 2}).ok


def test_garbage_of_any_size_has_finite_figures() -> None:
    problem = attention()
    found = reference.expected(problem, 1)
    verdict = judge(problem, found, {"out": np.full_like(found.outputs["out"], 1.7e308)})
    assert not verdict.ok
    assert verdict.accuracy is not None
    figures = [verdict.accuracy.max_error, verdict.accuracy.rmse_ratio, verdict.accuracy.cosine]
    assert np.isfinite(figures).all()


def test_a_selection_of_another_shape_is_not_judged() -> None:
    found = word(Gate("cosine", 0.99))
    for selected, reason in (({}, "out is missing"), ({"out": np.zeros((1, 2))}, "out has shape")):
        verdict = judge(attention(), found, selected)
        assert not verdict.ok
        assert verdict.accuracy is None
        assert verdict.reason.startswith(reason)


def test_a_row_beyond_the_accumulators_reach_is_held_to_that_reach() -> None:
    """1e-30 beside 1 needs not be right to a share of 1e-30; beside its like it does; 0 stays 0."""
    floored = row_scales(np.array([1.0, 1.0, 1e-30, 0.0]), "bf16")
    assert floored[3] == 0
    assert floored[2] == pytest.approx(2.0**-24 * np.sqrt(0.5))
    np.testing.assert_array_equal(floored[:2], 1.0)
    alike = np.full(4, 1e-30)
    np.testing.assert_array_equal(row_scales(alike, "bf16"), alike)
