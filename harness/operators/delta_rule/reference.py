"""The delta rule in fp64 (Yang et al. 2024, arXiv 2406.06484, §2.2).

    S = S + β·k·(v − Sᵀk)ᵀ    out = scale·qᵀS

Inputs q, k [B, H, S, Dqk], v [B, H, S, Dv] and beta [B, H, S, 1]. As in DeltaNet k has norm 1 and
beta = sigmoid(N(0,1)) lies in (0, 1), so that I − β·k·kᵀ never grows a state.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.model import Problem
from harness.operators.delta_rule.cost import COUNTS
from harness.operators.recurrent.family import Family
from harness.operators.recurrent.scan import outer, read, scan
from harness.operators.recurrent.values import unit

BOUND = 1e-3  # as linear attention (FIELD.md §6)


def step(state: Tensor, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """One token."""
    correction = x["v"] - read(state, x["k"])
    state = state + outer(x["beta"] * x["k"], correction)
    return state, read(state, x["q"])


def oracle(x: dict[str, Tensor], problem: Problem) -> Tensor:
    """out [heads, S, dim] of q, k [heads, S, Dqk], v [heads, S, Dv] and beta [heads, S, 1]."""
    q = x["q"] * problem.effective_scale
    state = torch.zeros(len(q), q.shape[-1], x["v"].shape[-1], dtype=q.dtype)
    return scan(step, state, {"q": q, "k": x["k"], "v": x["v"], "beta": x["beta"]})


FAMILY = Family(
    COUNTS, oracle, {"k": unit("k"), "beta": lambda normal: normal("beta").sigmoid()}, BOUND
)
