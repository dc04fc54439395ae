"""Linear attention in fp64 (Katharopoulos et al. 2020, arXiv 2006.16236, §3.2 to 3.4).

    S += φ(k)·vᵀ    z += φ(k)    out = φ(q)ᵀS / φ(q)ᵀz    φ(x) = elu(x) + 1

Inputs q, k [B, H, S, Dqk] and v [B, H, S, Dv] are N(0,1): φ is positive, so the normaliser is never
near 0. Without causal every query reads the state of all keys.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import elu, pad

from harness.model import Problem
from harness.operators.linear_attention.cost import COUNTS
from harness.operators.recurrent.family import Family
from harness.operators.recurrent.scan import outer, read, scan

BOUND = 1e-3  # fla's for linear attention (FIELD.md §6)


def step(state: Tensor, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """One token; v carries a column of ones, so that the state's last column is z."""
    state = state + outer(x["k"], x["v"])
    return state, read(state, x["q"])


def oracle(x: dict[str, Tensor], problem: Problem) -> Tensor:
    """out [heads, Sq, Dv] of q [heads, Sq, Dqk], k [heads, Sk, Dqk] and v [heads, Sk, Dv]."""
    q, k, v = elu(x["q"]) + 1, elu(x["k"]) + 1, pad(x["v"], (0, 1), value=1.0)
    if problem.causal:
        state = torch.zeros(len(q), q.shape[-1], v.shape[-1], dtype=q.dtype)
        out = scan(step, state, {"q": q, "k": k, "v": v})
    else:
        out = q @ (k.transpose(-1, -2) @ v)
    return out[..., :-1] / out[..., -1:]


FAMILY = Family(COUNTS, oracle, {}, BOUND)
