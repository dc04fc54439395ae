"""RWKV-7 in fp64 (Peng et al. 2025, arXiv 2503.14456, §4).

    S = diag(e^w)·S + b·(aᵀS) + k·vᵀ    out = rᵀS

Inputs r, w, k, v, a, b [B, H, S, D]. As in the paper w = −e^-½·sigmoid(N(0,1)) lies in (−0.61, 0),
a = −κ with |κ| = 1 and b = κ·sigmoid(N(0,1)), so that a state doesn't grow. r carries D^-½.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness.model import Problem
from harness.operators.recurrent.family import Family
from harness.operators.recurrent.scan import outer, read, scan
from harness.operators.recurrent.values import unit
from harness.operators.rwkv7.cost import COUNTS

BOUND = 2e-3  # fla's for RWKV-7 (FIELD.md §6)


def step(state: Tensor, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """One token."""
    decayed = x["w"].exp().unsqueeze(-1) * state
    state = decayed + outer(x["b"], read(state, x["a"])) + outer(x["k"], x["v"])
    return state, read(state, x["r"])


def oracle(x: dict[str, Tensor], problem: Problem) -> Tensor:
    """out [heads, S, dim] of r, w, k, v, a, b [heads, S, D]."""
    r = x["r"]
    state = torch.zeros(len(r), r.shape[-1], r.shape[-1], dtype=r.dtype)
    return scan(step, state, {n: x[n] for n in ("r", "w", "k", "v", "a", "b")})


FAMILY = Family(
    COUNTS,
    oracle,
    {
        "r": lambda normal: normal("r") / normal("r").shape[-1] ** 0.5,
        "w": lambda normal: -math.exp(-0.5) * normal("w").sigmoid(),
        "a": lambda normal: -unit("kappa")(normal),
        "b": lambda normal: unit("kappa")(normal) * normal("rate").sigmoid(),
    },
    BOUND,
)
