"""Inputs are a function of problem and seed: not of device, layout, thread or process."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
import torch

from harness.errors import InvalidProblem
from harness.operators.attention import reference
from harness.operators.inputs import as_bhsd, draw
from tests.operators.problems import attention

CPU = torch.device("cpu")


def test_layouts_hold_the_same_values_each_contiguous() -> None:
    problem = attention(dtype="bf16", direction="backward")
    bhsd = reference.make_inputs(problem, 3, CPU, "BHSD")
    bshd = reference.make_inputs(problem, 3, CPU, "BSHD")
    assert list(bhsd) == ["q", "k", "v", "grad_out"]
    for name, tensor in bhsd.items():
        assert tensor.is_contiguous()
        assert bshd[name].is_contiguous()
        assert torch.equal(as_bhsd(bshd[name], "BSHD"), tensor)


def test_packed_inputs_are_the_padded_ones_without_their_padding() -> None:
    problem = attention(batch=3, lengths="uniform", lengths_seed=1, direction="backward")
    assert problem.lengths_q == (23, *problem.lengths_q[1:])
    padded = reference.make_inputs(problem, 3, CPU, "BSHD")
    thd = reference.make_inputs(problem, 3, CPU, "THD")
    for name, tensor in thd.items():
        assert tensor.is_contiguous()
        pieces = [padded[name][b, :n] for b, n in enumerate(problem.lengths_q)]
        assert torch.equal(tensor, torch.cat(pieces))
    assert not padded["grad_out"][2, problem.lengths_q[2] :].any()
    assert padded["k"][2, problem.lengths_k[2] :].all()
    even = reference.make_inputs(attention(), 3, CPU, "THD")["q"]
    assert even.shape == (46, 4, 16)


def test_sinks_are_one_number_a_query_head() -> None:
    inputs = reference.make_inputs(attention(sinks=True), 3, CPU, "BHSD")
    assert inputs["sinks"].shape == (4,)
    assert len(set(inputs["sinks"].tolist())) == 4


def test_gradients_are_asked_of_what_is_differentiable() -> None:
    forward = reference.make_inputs(attention(), 0, CPU, "BHSD")
    assert not any(t.requires_grad for t in forward.values())
    problem = attention(direction="backward", sinks=True)
    backward = reference.make_inputs(problem, 0, CPU, "BHSD")
    wanted = {name for name, t in backward.items() if t.requires_grad}
    assert wanted == set(reference.DIFFERENTIABLE)


def test_a_dtype_is_a_rounding_of_the_same_numbers() -> None:
    fp32 = reference.make_inputs(attention(dtype="fp32"), 5, CPU, "BHSD")
    bf16 = reference.make_inputs(attention(dtype="bf16"), 5, CPU, "BHSD")
    assert torch.equal(fp32["q"].bfloat16(), bf16["q"])


def test_seeds_tensors_sequences_and_heads_all_differ() -> None:
    one = reference.make_inputs(attention(head_dim_v=16, heads_kv=4), 1, CPU, "BHSD")
    two = reference.make_inputs(attention(head_dim_v=16, heads_kv=4), 2, CPU, "BHSD")
    heads = [t[b, h] for i in (one, two) for t in i.values() for b in range(2) for h in range(4)]
    assert len({tuple(head.flatten().tolist()) for head in heads}) == len(heads)


def test_values_are_standard_normal() -> None:
    x = draw(7, "q", (2, 8, 512, 64), torch.float32, "BHSD").double()
    assert abs(float(x.mean())) < 5 / x.numel() ** 0.5
    assert abs(float(x.var()) - 1) < 5 * (2 / x.numel()) ** 0.5
    assert abs(float((x**4).mean()) - 3) < 5 * (96 / x.numel()) ** 0.5


def test_drawing_in_threads_or_another_process_changes_nothing() -> None:
    """Above a million elements heads are drawn in parallel."""
    shape, name = (2, 9, 1024, 64), "k"
    large = draw(11, name, shape, torch.float32, "BSHD")
    code = (
        "import hashlib, torch; from harness.operators.inputs import draw;"
        f"x = draw(11, '{name}', {shape}, torch.float32, 'BSHD');"
        "print(hashlib.sha256(x.numpy().tobytes()).hexdigest())"
    )
    done = subprocess.run(
        ["taskset", "-c", "0", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == hashlib.sha256(large.numpy().tobytes()).hexdigest()


def test_values_are_pinned() -> None:
    """A series continues only if its inputs do: these must never change."""
    x = draw(0, "q", (1, 1, 2, 2), torch.float64, "BHSD").flatten().tolist()
    want = [-1.2301268577575684, -0.29520562291145325, 0.508364737033844, -0.2268490195274353]
    assert x == pytest.approx(want, rel=1e-6)


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(InvalidProblem, match="layout 'HBSD'"):
        reference.make_inputs(attention(), 0, CPU, "HBSD")
