"""The gated delta rule in fp64 (Yang et al. 2024, arXiv 2412.06464, §3.1).

    S = e^g·S    S = S + β·k·(v − Sᵀk)ᵀ    out = scale·qᵀS

Inputs q, k [B, H, S, Dqk], v [B, H, S, Dv], g and beta [B, H, S, 1]. k has norm 1, beta =
sigmoid(N(0,1)), and g = −exp(0.8·N(0,1) − 2.5), about −0.08: Mamba-2's range.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.model import Problem
from harness.operators.gated_delta_rule.cost import COUNTS
from harness.operators.recurrent.family import Family
from harness.operators.recurrent.scan import outer, read, scan
from harness.operators.recurrent.values import log_decay, unit

BOUND = 1e-3  # as linear attention (FIELD.md §6)


def step(state: Tensor, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """One token."""
    state = x["g"].exp().unsqueeze(-1) * state
    correction = x["v"] - read(state, x["k"])
    state = state + outer(x["beta"] * x["k"], correction)
    return state, read(state, x["q"])


def oracle(x: dict[str, Tensor], problem: Problem) -> Tensor:
    """out [heads, S, dim] of q, k [heads, S, Dqk], v [heads, S, Dv], g and beta [heads, S, 1]."""
    q = x["q"] * problem.effective_scale
    state = torch.zeros(len(q), q.shape[-1], x["v"].shape[-1], dtype=q.dtype)
    names = ("k", "v", "g", "beta")
    return scan(step, state, {"q": q} | {n: x[n] for n in names})


FAMILY = Family(
    COUNTS,
    oracle,
    {
        "k": unit("k"),
        "g": log_decay("g"),
        "beta": lambda normal: normal("beta").sigmoid(),
    },
    BOUND,
)
