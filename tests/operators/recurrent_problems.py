"""Small problems of the recurrent operators, and their inputs as fp64 arrays."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from harness.model import Problem
from harness.operators import operator_names, reference
from harness.operators.recurrent.family import Family

RECURRENT = tuple(n for n in operator_names() if isinstance(reference(n), Family))
"""Operators built on harness/operators/recurrent."""
SQUARE = ("rwkv6", "rwkv7")
"""Those whose state must be square."""


def recurrent(operator: str, **given: Any) -> Problem:
    """A small causal problem in fp64, with what is given in place of its defaults."""
    fields: dict[str, Any] = {
        "operator": operator, "batch": 2, "heads_q": 2, "heads_kv": 2, "seq_q": 23, "seq_k": 23,
        "head_dim_qk": 8, "head_dim_v": 8 if operator in SQUARE else 6, "dtype": "fp64",
        "causal": True,
    }  # fmt: skip
    return Problem(**(fields | given))


def inputs(problem: Problem, seed: int = 1) -> dict[str, Tensor]:
    """The operator's inputs, BHSD (weights [heads, dim])."""
    return dict(reference(problem.operator).make_inputs(problem, seed, torch.device("cpu"), "BHSD"))


@st.composite
def problems(draw: st.DrawFn, operator: str, directions: tuple[str, ...] = ("forward",)) -> Problem:
    """Lengths 2 to 40, one to three heads, dims 1 to 9."""
    heads, length = draw(st.integers(1, 3)), draw(st.integers(2, 40))
    dqk, dv = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    return recurrent(
        operator,
        batch=draw(st.integers(1, 2)),
        heads_q=heads * (draw(st.integers(1, 2)) if operator == "mamba2" else 1),
        heads_kv=heads,
        seq_q=length,
        seq_k=length,
        head_dim_qk=dqk,
        head_dim_v=dqk if operator in SQUARE else dv,
        direction=draw(st.sampled_from(directions)),
    )
