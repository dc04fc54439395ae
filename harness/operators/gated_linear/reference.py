"""Gated linear attention in fp64 (Yang et al. 2023, arXiv 2312.06635, §4).

    S = diag(e^g)·S + k·vᵀ    out = scale·qᵀS

Inputs q, k, g [B, H, S, Dqk] and v [B, H, S, Dv]. g is the logarithm of a decay: as in the paper
log sigmoid(N(0,1)) / 16, about −0.05, so a state keeps some twenty tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from harness.model import Problem
from harness.operators.gated_linear.cost import COUNTS
from harness.operators.recurrent.family import Family
from harness.operators.recurrent.scan import outer, read, scan

BOUND = 1e-3  # as linear attention (FIELD.md §6)


def step(state: Tensor, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """One token."""
    state = x["g"].exp().unsqueeze(-1) * state + outer(x["k"], x["v"])
    return state, read(state, x["q"])


def oracle(x: dict[str, Tensor], problem: Problem) -> Tensor:
    """out [heads, S, dim] of q, k, g [heads, S, Dqk] and v [heads, S, Dv]."""
    q = x["q"] * problem.effective_scale
    state = torch.zeros(len(q), q.shape[-1], x["v"].shape[-1], dtype=q.dtype)
    return scan(step, state, {"q": q, "k": x["k"], "v": x["v"], "g": x["g"]})


FAMILY = Family(COUNTS, oracle, {"g": lambda normal: logsigmoid(normal("g")) / 16}, BOUND)
