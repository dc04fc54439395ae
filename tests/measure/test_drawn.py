"""Inputs kept between kernels of one problem are the operator's own, and nobody's to write."""

from __future__ import annotations

import pytest
import torch

from harness.measure import drawn
from harness.measure.drawn import DrawnInputs
from harness.model import Problem
from harness.operators import reference
from tests.operators.cache_problems import decode

CPU = torch.device("cpu")
DIMS = {"head_dim_qk": 8, "head_dim_v": 8}


def problem(**more: object) -> Problem:
    shape = {"batch": 2, "heads_q": 4, "heads_kv": 2, "seq_q": 9, "seq_k": 9}
    return Problem.from_dict({"operator": "attention", "dtype": "bf16", **DIMS, **shape, **more})


@pytest.mark.parametrize("layout", ["BHSD", "BSHD", "THD"])
@pytest.mark.parametrize("direction", ["forward", "forward_backward"])
def test_the_second_kernel_gets_what_the_operator_draws(layout: str, direction: str) -> None:
    one = problem(direction=direction)
    inputs = DrawnInputs()
    for name, tensor in inputs.of(one, 7, CPU, layout).items():
        tensor.detach().fill_(float("nan"))  # what a kernel may do to its own
        assert tensor.isnan().all(), name
    again = inputs.of(one, 7, CPU, layout)
    for name, expected in reference("attention").make_inputs(one, 7, CPU, layout).items():
        assert torch.equal(again[name], expected), name
        assert again[name].requires_grad == expected.requires_grad
        assert again[name].stride() == expected.stride()
        assert again[name].dtype == expected.dtype


def test_seeds_layouts_and_problems_are_told_apart() -> None:
    inputs, operator = DrawnInputs(), reference("attention")
    for one in (problem(), problem(seq_k=12), problem()):
        for seed in (1, 2, 1):
            for layout in ("BHSD", "BSHD", "BHSD"):
                found = inputs.of(one, seed, CPU, layout)
                expected = operator.make_inputs(one, seed, CPU, layout)
                assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_problem_is_drawn_once_and_large_ones_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    operator, draws = reference("attention"), list[int]()
    make_inputs = operator.make_inputs

    def counted(one: Problem, seed: int, device: torch.device, layout: str) -> object:
        draws.append(seed)
        return make_inputs(one, seed, device, layout)

    monkeypatch.setattr(operator, "make_inputs", counted)
    inputs = DrawnInputs()
    for _ in range(3):
        inputs.of(problem(), 1, CPU, "BHSD")
    assert draws == [1]
    monkeypatch.setattr(drawn, "KEPT_BYTES", 100)
    for _ in range(3):
        inputs.of(problem(seq_q=10, seq_k=10), 2, CPU, "BHSD")
    assert draws == [1, 2, 2, 2]


def test_quantised_caches_and_page_tables_come_back_as_they_were() -> None:
    cached = decode(cache="paged", page_size=4, kv_dtype="int8", dtype="bf16")
    inputs = DrawnInputs()
    first = inputs.of(cached, 3, CPU, "BSHD")
    again = inputs.of(cached, 3, CPU, "BSHD")
    assert {str(t.dtype) for t in first.values()} >= {"torch.int8", "torch.bfloat16"}
    for name, tensor in first.items():
        assert torch.equal(again[name], tensor), name
        assert again[name].dtype == tensor.dtype
