"""Retention in fp64 (Sun et al. 2023, arXiv 2307.08621, §2.1).

    S = γ·S + k·vᵀ    out = scale·qᵀS    γ = 1 − 2^(−5−h) for head h of 0 … H−1

Inputs q, k [B, H, S, Dqk] and v [B, H, S, Dv], all N(0,1). Rotation and group norm stand outside.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.model import Problem
from harness.operators.recurrent.family import Family
from harness.operators.recurrent.scan import outer, read, scan
from harness.operators.retention.cost import COUNTS

BOUND = 1e-3  # as linear attention (FIELD.md §6)


def step(state: Tensor, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """One token."""
    state = x["decay"].unsqueeze(-1) * state + outer(x["k"], x["v"])
    return state, read(state, x["q"])


def oracle(x: dict[str, Tensor], problem: Problem) -> Tensor:
    """out [heads, S, dim] of q, k [heads, S, Dqk], v [heads, S, Dv] and the heads' numbers."""
    q = x["q"] * problem.effective_scale
    decay = (1 - torch.exp2(-5.0 - x["head"])).view(-1, 1, 1).expand(-1, q.shape[1], 1)
    state = torch.zeros(len(q), q.shape[-1], x["v"].shape[-1], dtype=q.dtype)
    return scan(step, state, {"q": q, "k": x["k"], "v": x["v"], "decay": decay})


FAMILY = Family(COUNTS, oracle, {}, BOUND)
