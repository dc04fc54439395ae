"""FLOPs of a recurrence, counted operation by operation while torch does one step of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from harness.operators import cost_model
from harness.operators.recurrent.counts import Counts
from tests.operators.recurrent_problems import RECURRENT, SQUARE, recurrent

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


@pytest.mark.parametrize("operator", [n for n in RECURRENT if hasattr(own(n), "step")])
def test_a_step_costs_what_the_model_says(operator: str) -> None:
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
    problem = recurrent(operator, batch=2, seq_q=5, seq_k=5, head_dim_qk=dk, head_dim_v=dv)
    assert costs.flops(problem) == 2 * 2 * 5 * counted.flops


@pytest.mark.parametrize("operator", RECURRENT)
def test_a_backward_pass_costs_two_forward_ones_and_the_states_again(operator: str) -> None:
    flops = {
        d: cost_model(operator).flops(recurrent(operator, direction=d))
        for d in ("forward", "backward", "forward_backward")
    }
    assert flops["forward_backward"] == flops["forward"] + flops["backward"]
    assert 2 * flops["forward"] < flops["backward"] <= 3 * flops["forward"]


@pytest.mark.parametrize("tokens", [1, 2, 9])
def test_path_costs_attention_and_a_step_for_each_pair_apart(tokens: int) -> None:
    """Multiply-adds of a score, of p·v, of q·w and of the update, one pair at a time."""
    problem = recurrent("path", seq_q=tokens, seq_k=tokens)
    dk, dv, flops = problem.head_dim_qk, problem.head_dim_v, 0
    for i in range(tokens):
        for j in range(i, -1, -1):
            flops += 2 * dk + 2 * dv
            if j > 0:  # the step between key j and key j − 1
                flops += 2 * dk + 2 * dk
    assert cost_model("path").flops(problem) == problem.batch * problem.heads_q * flops
