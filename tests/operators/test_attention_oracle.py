"""The oracle against independent forms in fp64, to 1e-10; the sample against the whole."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from harness.model import Problem
from harness.operators.attention import oracle, reference
from harness.operators.base import Expected
from harness.operators.inputs import as_bhsd, packed
from tests.operators.problems import (
    LENGTHS,
    MASKS,
    MORE,
    PATTERNS,
    attention,
    dense_mask,
    sequences,
)

CPU = torch.device("cpu")
Array = NDArray[np.float64]
CASES = [
    pytest.param({**mask, "seq_q": sq, "seq_k": sk, "softcap": cap}, id=f"{m}-{n}-{cap}")
    for m, mask in MASKS.items()
    for n, (sq, sk) in LENGTHS.items()
    for cap in (0.0, 1.5)
]
CASES += [pytest.param({**mask, "softcap": 1.5}, id=m) for m, mask in PATTERNS.items()]
CASES += [
    pytest.param({**mask, **more, "softcap": 1.5, "seq_q": sq, "seq_k": 23}, id=f"{n}-{m}-{sq}")
    for n, more in MORE.items()
    for m, mask in MASKS.items()
    for sq in (9, 23, 31)
    if m in ("full", "causal", "window", "strided") and not ("params" in mask and "params" in more)
]


def inputs(problem: Problem, seed: int = 1) -> dict[str, Array]:
    tensors = reference.make_inputs(problem, seed, CPU, "BHSD")
    return {name: t.detach().numpy() for name, t in tensors.items()}


def by_group(problem: Problem, array: Array) -> Array:
    """[batch, heads, …] as ``Expected`` has it: [batch × heads_kv, group, …], or without group."""
    b, h, *rest = array.shape
    if h == problem.heads_kv and problem.group > 1:
        return array.reshape(b * h, *rest)
    return array.reshape(b * problem.heads_kv, problem.group, *rest)


def scores(problem: Problem, q: Array, k: Array) -> Array:
    raw = q @ k * problem.effective_scale
    return problem.softcap * np.tanh(raw / problem.softcap) if problem.softcap else raw


def masks(problem: Problem) -> NDArray[np.bool_]:
    """[B, 1, Sq, Sk]: each sequence's mask, in the corner that its tokens take."""
    seen = np.zeros((problem.batch, 1, problem.seq_q, problem.seq_k), dtype=bool)
    for b, alone in enumerate(sequences(problem)):
        seen[b, 0, : alone.seq_q, : alone.seq_k] = dense_mask(alone)
    return seen


def bias(problem: Problem) -> Array:
    """[B, Hq, Sq, Sk] ALiBi: for 4 heads slopes of 1/4, 1/16, 1/64 and 1/256; else zeros."""
    slopes = np.array([0.25, 0.0625, 0.015625, 0.00390625]) * problem.alibi
    out = np.zeros((problem.batch, 4, problem.seq_q, problem.seq_k))
    for b, h, i, j in np.ndindex(*out.shape):
        position = i + problem.lengths_k[b] - problem.lengths_q[b]
        out[b, h, i, j] = -slopes[h] * abs(position - j)
    return out


def sink_weights(problem: Problem) -> Array:
    """[Hq, 1, 1] what each head's sink adds to the softmax's denominator."""
    return np.exp(inputs(problem)["sinks"])[:, None, None] if problem.sinks else np.zeros((1, 1, 1))


def one_row_at_a_time(problem: Problem) -> Array:
    """Attention by its definition: a Python loop over sequences, heads and queries."""
    x, mask, add = inputs(problem), masks(problem), bias(problem)
    sinks = np.broadcast_to(sink_weights(problem), (problem.heads_q, 1, 1))
    out = np.zeros((problem.batch, problem.heads_q, problem.seq_q, problem.head_dim_v))
    for b, h, i in np.ndindex(*out.shape[:3]):
        keys = np.flatnonzero(mask[b, 0, i])
        if len(keys):
            shared = h // problem.group
            weights = np.array([np.exp(scores(problem, x["q"][b, h, i], x["k"][b, shared, j])
                                       + add[b, h, i, j]) for j in keys])  # fmt: skip
            out[b, h, i] = weights @ x["v"][b, shared, keys] / (weights.sum() + sinks[h, 0, 0])
    return out


def split_and_merged(problem: Problem, parts: int) -> Array:
    """Each part of the keys alone, merged by log-sum-exp (flash decoding)."""
    x, mask, add = inputs(problem), masks(problem), bias(problem)
    k = x["k"].repeat(problem.group, axis=1)
    v = x["v"].repeat(problem.group, axis=1)
    outs, sums = [], []
    for piece in np.array_split(np.arange(problem.seq_k), parts):
        s = scores(problem, x["q"], k[:, :, piece].swapaxes(-1, -2)) + add[..., piece]
        weights = np.exp(s) * mask[..., piece]
        total = weights.sum(-1, keepdims=True)
        outs.append(weights @ v[:, :, piece] / np.where(total > 0, total, 1))
        sums.append(total)
    whole = sum(sums) + sink_weights(problem)
    merged = sum(o * t for o, t in zip(outs, sums, strict=True))
    return np.asarray(merged / np.where(whole > 0, whole, 1))


def by_autograd(problem: Problem) -> dict[str, Array]:
    """torch.autograd through the dense formula, all heads at once."""
    x = {n: torch.from_numpy(a).requires_grad_(n != "grad_out") for n, a in inputs(problem).items()}
    k, v = (x[n].repeat_interleave(problem.group, dim=1) for n in ("k", "v"))
    s = x["q"] @ k.transpose(-1, -2) * problem.effective_scale
    if problem.softcap:
        s = problem.softcap * torch.tanh(s / problem.softcap)
    weights = torch.exp(s + torch.from_numpy(bias(problem))) * torch.from_numpy(masks(problem))
    total = weights.sum(-1, keepdim=True)
    if problem.sinks:
        total = total + x["sinks"].exp()[:, None, None]
    out = weights @ v / total.clamp(min=1e-300)
    names = [n for n in ("q", "k", "v", "sinks") if n in x]
    grads = torch.autograd.grad(out, [x[n] for n in names], x["grad_out"])
    return {f"d{n}": g.numpy() for n, g in zip(names, grads, strict=True)}


@pytest.mark.parametrize("given", CASES)
def test_forward_equals_one_row_at_a_time(given: dict[str, Any]) -> None:
    problem = attention(**given)
    got = reference.expected(problem, 1).outputs["out"]
    assert np.abs(got - by_group(problem, one_row_at_a_time(problem))).max() < 1e-10


@pytest.mark.parametrize("given", CASES)
def test_forward_equals_split_keys_merged_by_their_sums(given: dict[str, Any]) -> None:
    problem = attention(**given)
    got = reference.expected(problem, 1).outputs["out"]
    assert np.abs(got - by_group(problem, split_and_merged(problem, 4))).max() < 1e-10


@pytest.mark.parametrize(
    ("given", "heads_kv"),
    [pytest.param(*c.values, (1, 2, 4)[n % 3], id=c.id) for n, c in enumerate(CASES)],
)
def test_gradients_equal_autograd(given: dict[str, Any], heads_kv: int) -> None:
    problem = attention(heads_kv=heads_kv, direction="backward", **given)
    got = reference.expected(problem, 1).outputs
    assert list(got) == ["dq", "dk", "dv"] + ["dsinks"] * problem.sinks
    for name, right in by_autograd(problem).items():
        if name == "dsinks":
            assert np.abs(got[name].flatten() - right).max() < 1e-10
            continue
        heads = problem.heads_q if name == "dq" else problem.heads_kv
        shape = (problem.batch * problem.heads_kv, -1, *right.shape[2:])
        want = right.reshape(shape) if name == "dq" else right.reshape(-1, *right.shape[2:])
        assert right.shape[1] == heads
        assert np.abs(got[name] - want).max() < 1e-10, name


def test_forward_backward_is_forward_and_backward() -> None:
    both = reference.expected(attention(direction="forward_backward", causal=True), 4)
    alone = reference.expected(attention(causal=True), 4)
    grads = reference.expected(attention(direction="backward", causal=True), 4)
    assert list(both.outputs) == ["out", "dq", "dk", "dv"]
    assert np.array_equal(both.outputs["out"], alone.outputs["out"])
    assert all(np.array_equal(both.outputs[n], grads.outputs[n]) for n in grads.outputs)


def test_a_row_that_sees_no_key_is_exactly_zero() -> None:
    problem = attention(seq_q=31, seq_k=9, causal=True, direction="forward_backward")
    found = reference.expected(problem, 1)
    assert not found.outputs["out"][:, :, :22].any()
    assert not found.outputs["dq"][:, :, :22].any()
    assert not found.row_scale["out"][:, :, :22].any()
    assert found.outputs["out"][:, :, 22:].any(axis=-1).all()


def test_the_size_of_a_chunk_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = attention(direction="forward_backward", causal=True, window_left=9)
    whole = reference.expected(problem, 1)
    monkeypatch.setattr(oracle, "CHUNK", 150)
    pieces = reference.expected(problem, 1)
    for name, right in whole.outputs.items():
        assert np.abs(pieces.outputs[name] - right).max() < 1e-12


@pytest.mark.parametrize(
    "given",
    [*MASKS.values(), {"causal": True, **MORE["lengths"], "sinks": True}],
    ids=[*MASKS, "lengths"],
)
@pytest.mark.parametrize("direction", ["forward", "backward", "forward_backward"])
def test_a_sample_is_a_part_of_the_whole(
    given: dict[str, Any], direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = attention(
        batch=3, heads_kv=4, seq_q=60, seq_k=70, direction=direction, softcap=2.0, **given
    )
    whole = reference.expected(problem, 9)
    assert whole.share == 1
    monkeypatch.setattr(reference, "WHOLE_FLOPS", 0)
    monkeypatch.setattr(reference, "SAMPLE_FLOPS", 0)
    monkeypatch.setattr(reference, "SAMPLE_GROUPS", 5)
    sampled = reference.expected(problem, 9)
    chosen = reference.selection(problem, 9)
    assert len(chosen.groups) == 5
    assert chosen.rows_q.shape[1] == chosen.rows_k.shape[1] == 16
    assert "dsinks" not in sampled.outputs  # no head has all its sequences in this sample
    for i, (batch, head) in enumerate(chosen.groups):
        group = batch * problem.heads_kv + head
        for name, right in whole.outputs.items():
            if name == "dsinks":
                continue
            rows = chosen.rows_k if name in ("dk", "dv") else chosen.rows_q
            want = right[group].take(rows[i], axis=-2)
            assert np.abs(sampled.outputs[name][i] - want).max() < 1e-12
            scale = whole.row_scale[name][group].take(rows[i], axis=-1)
            assert np.abs(sampled.row_scale[name][i] - scale).max() < 1e-12
    assert 0 < sampled.share < 0.2


@pytest.mark.parametrize("lengths", ["", "uniform"])
@pytest.mark.parametrize("layout", ["BHSD", "BSHD", "THD"])
@pytest.mark.parametrize("sampled", [False, True])
def test_select_takes_what_expected_speaks_of(
    layout: str, sampled: bool, lengths: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = attention(
        batch=3, heads_kv=4, seq_q=60, seq_k=70, direction="forward_backward", causal=True,
        lengths=lengths,
    )  # fmt: skip
    whole = reference.expected(problem, 2)
    outputs = {}
    for name, shape in reference.output_shapes(problem).items():
        tensor = torch.from_numpy(whole.outputs[name].reshape(shape))
        outputs[name] = tensor if layout == "BHSD" else tensor.transpose(1, 2).contiguous()
        if layout == "THD":
            outputs[name] = packed(tensor, reference.lengths_of(problem, name))
        elif lengths:  # what a kernel leaves in the padding is nobody's business
            for b, tokens in enumerate(reference.lengths_of(problem, name)):
                as_bhsd(outputs[name], layout)[b, :, tokens:] = 7.0
    if sampled:
        monkeypatch.setattr(reference, "WHOLE_FLOPS", 0)
        monkeypatch.setattr(reference, "SAMPLE_FLOPS", 0)
    want = reference.expected(problem, 2)
    assert (want.share < 1) == sampled
    got = reference.select(problem, 2, outputs, layout)
    assert list(got) == list(want.outputs)
    for name in got:
        assert np.abs(got[name] - want.outputs[name]).max() < 1e-12


def test_samples_hold_the_edges_and_move_with_the_seed() -> None:
    problem = attention(
        batch=4, heads_q=32, heads_kv=8, seq_q=5000, seq_k=7000, head_dim_qk=128, dtype="bf16"
    )
    one, two = (reference.selection(problem, seed) for seed in (1, 2))
    for chosen in (one, two):
        assert {(0, 0), (3, 7)} <= set(chosen.groups)
        assert len(set(chosen.groups)) == len(chosen.groups)
        for rows, length in ((chosen.rows_q, 5000), (chosen.rows_k, 7000)):
            assert (np.diff(rows, axis=1) > 0).all()
            assert {0, 1, 2, 3} <= set(rows[0])
            assert {length - 4, length - 3, length - 2, length - 1} <= set(rows[0])
    assert one.groups != two.groups
    assert not np.array_equal(one.rows_q, two.rows_q)


def test_the_word_of_the_oracle_travels_between_processes() -> None:
    word = reference.expected(attention(dtype="bf16", direction="backward"), 3)
    again: Expected = pickle.loads(pickle.dumps(word))
    assert again.baseline_max_error == word.baseline_max_error
    assert all(np.array_equal(again.outputs[n], word.outputs[n]) for n in word.outputs)


def test_the_baseline_errs_by_the_dtypes_rounding() -> None:
    """Scaled to each row, low precision costs a few unit roundoffs, whatever dtype or mask."""
    for dtype, unit in (("fp32", 2**-24), ("fp16", 2**-11), ("bf16", 2**-8)):
        for mask in MASKS.values():
            problem = attention(dtype=dtype, direction="forward_backward", **mask)
            found = reference.expected(problem, 1)
            for name in found.outputs:
                assert found.baseline_row_error[name] < 6 * unit, (dtype, mask, name)
    assert reference.expected(attention(), 1).baseline_max_error == {"out": 0.0}
