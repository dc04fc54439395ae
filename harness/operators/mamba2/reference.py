"""Mamba-2 in fp64 (Dao and Gu 2024, arXiv 2405.21060; mamba_ssm/modules/ssd_minimal.py).

    S = e^a·S + b·xᵀ    out = cᵀS

Inputs x [B, H, S, P], a [B, H, S, 1], b and c [B, G, S, N], which the H/G heads of a group share.
As in ssd_minimal x is already multiplied by Δ, and a = Δ·A is the logarithm of the decay:
−exp(0.8·N(0,1) − 2.5), about −0.08, the range of Mamba-2's initial Δ and A.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.model import Problem
from harness.operators.mamba2.cost import COUNTS
from harness.operators.recurrent.family import Family
from harness.operators.recurrent.scan import outer, read, scan
from harness.operators.recurrent.values import log_decay

BOUND = 1e-3  # as linear attention (FIELD.md §6)


def step(state: Tensor, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """One token."""
    state = x["a"].exp().unsqueeze(-1) * state + outer(x["b"], x["x"])
    return state, read(state, x["c"])


def oracle(x: dict[str, Tensor], problem: Problem) -> Tensor:
    """out [heads, S, dim] of x [heads, S, P], a [heads, S, 1], b and c [heads, S, N]."""
    state = torch.zeros(len(x["x"]), problem.head_dim_qk, problem.head_dim_v, dtype=x["x"].dtype)
    return scan(step, state, {n: x[n] for n in ("x", "a", "b", "c")})


FAMILY = Family(COUNTS, oracle, {"a": log_decay("a")}, BOUND)
