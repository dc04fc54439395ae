"""RWKV-6 in fp64 (Peng et al. 2024, arXiv 2404.05892, §4.2).

    out = rᵀ(S + diag(u)·k·vᵀ)    S = diag(e^w)·S + k·vᵀ

Inputs r, k, v, w [B, H, S, D] and the bonus u [H, D]. w is the logarithm of the decay:
−exp(N(0,1) − 3), about −0.05. r carries D^-½ so that outputs are of size 1. No gradient of u is
taken: it is a weight, whose gradient sums over the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.model import Problem
from harness.operators.recurrent.family import Family
from harness.operators.recurrent.scan import outer, read, scan
from harness.operators.rwkv6.cost import COUNTS

BOUND = 1e-3  # as linear attention (FIELD.md §6)


def step(state: Tensor, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """One token."""
    kv = outer(x["k"], x["v"])
    out = read(state + x["u"].unsqueeze(-1) * kv, x["r"])
    return x["w"].exp().unsqueeze(-1) * state + kv, out


def oracle(x: dict[str, Tensor], problem: Problem) -> Tensor:
    """out [heads, S, dim] of r, k, v, w [heads, S, D] and u [heads, D]."""
    r = x["r"]
    state = torch.zeros(len(r), r.shape[-1], r.shape[-1], dtype=r.dtype)
    u = x["u"].unsqueeze(1).expand_as(r)
    return scan(step, state, {"r": r, "k": x["k"], "v": x["v"], "w": x["w"], "u": u})


FAMILY = Family(
    COUNTS,
    oracle,
    {
        "r": lambda normal: normal("r") / normal("r").shape[-1] ** 0.5,
        "w": lambda normal: -(normal("w") - 3).exp(),
    },
    BOUND,
)
