"""FLOPs of a recurrence, counted operation by operation while torch does one step of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from harness.model import Problem
from harness.operators import cost_model, reference
from harness.operators.recurrent.counts import Counts
from tests.operators.recurrent_problems import RECURRENT, SQUARE, inputs, problems, recurrent

VIEWS = {"unsqueeze", "squeeze", "expand", "view", "_unsafe_view", "select", "transpose"}


class Counter(TorchDispatchMode):
    """Counts sums and products of operations on whole states; smaller ones aren't counted."""

    def __init__(self, state: int) -> None:
        super().__init__()
        self.state, self.flops = state, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name == "bmm":
            self.flops += 2 * args[0].numel() * args[1].shape[-1]
        elif name not in VIEWS and out.numel() == self.state:
            assert name in ("add", "sub", "mul"), f"{name}: what does it cost?"
            self.flops += out.numel()
        return out


def own(operator: str) -> ModuleType:
    """The operator's reference.py, where its step is."""
    return importlib.import_module(f"harness.operators.{operator}.reference")


@cache
def step_flops(operator: str) -> Fraction:
    """FLOPs of one token of one head over dk·dv, counted while torch does it.

    At dims of which no product could be mistaken for another.
    """
    dk, dv = (11, 11) if operator in SQUARE else (11, 13)
    costs = cost_model(operator)
    assert isinstance(costs, Counts)
    x = {
        i.name: torch.rand(1, {"qk": dk, "v": dv, "one": 1}[i.dim], dtype=torch.float64)
        for i in costs.inputs
    }
    if operator == "retention":  # its decay is no input
        x["decay"] = torch.rand(1, 1, dtype=torch.float64)
    step: Callable[..., Any] = own(operator).step
    state = torch.rand(1, dk, dv, dtype=torch.float64)
    with Counter(dk * dv) as counted:
        step(state, x)
    return Fraction(counted.flops, dk * dv)


def head_flops(p: Problem) -> dict[str, Fraction]:
    """One head of one sequence, forward and backward, token by token (PaTH: pair by pair).

    Backward: two operations for each, and what makes a state once more.
    """
    dk, dv = p.head_dim_qk, p.head_dim_v
    forward = backward = Fraction(0)
    for i in range(p.seq_q):
        if p.operator != "path":
            one, read = step_flops(p.operator) * dk * dv, 2 * dk * dv
            forward += one
            backward += 2 * one + (one - read)
            continue
        for j in range(i, -1, -1):
            forward += 2 * dk + 2 * dv  # a score, p·v
            backward += 2 * (2 * dk + 2 * dv) + 2 * dk  # two each, and the score again
            if j > 0:  # the step between key j and key j − 1: q·w and the update
                forward += 2 * dk + 2 * dk
                backward += 3 * (2 * dk + 2 * dk)
    return {"forward": forward, "backward": backward, "forward_backward": forward + backward}


@pytest.mark.parametrize("operator", RECURRENT)
def test_a_step_costs_what_the_model_says(operator: str) -> None:
    dk, dv = (11, 11) if operator in SQUARE else (11, 13)
    problem = recurrent(operator, batch=2, seq_q=5, seq_k=5, head_dim_qk=dk, head_dim_v=dv)
    for direction in ("forward", "backward", "forward_backward"):
        p = replace(problem, direction=direction)
        assert cost_model(operator).flops(p) == 2 * 2 * head_flops(p)[direction]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_costs_are_those_of_one_step_at_a_time(data: st.DataObject) -> None:
    """Bytes: every input and output once. FLOPs: what a step does, by the recurrence as written."""
    operator = data.draw(st.sampled_from(RECURRENT))
    p = data.draw(problems(operator, ("forward", "backward", "forward_backward")))
    costs, x = cost_model(operator), inputs(p)
    read = sum(t.numel() for n, t in x.items() if n != "grad_out")
    out = p.batch * p.heads_q * p.seq_q * p.head_dim_v
    grads = sum(x[n].numel() for n in reference(operator).DIFFERENTIABLE)
    want = {"forward": read + out, "backward": read + out + grads}
    want["forward_backward"] = want["forward"] + want["backward"]
    assert costs.min_bytes(p) == want[p.direction] * p.element_bytes
    assert costs.flops(p) == p.batch * p.heads_q * head_flops(p)[p.direction]
