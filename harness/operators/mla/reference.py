"""Inputs and oracle of multi-head latent attention, both forms in terms of what they reduce to.

naive: q, k [B, H, S, nope + rope], v [B, H, S, Dv], as attention. absorbed: q [B, H, Sq, Dqk], the
product q_nope·W_UK beside q_rope, and ``kv_cache``, of which a token's first Dv elements are both
key and value (DeepSeek-V3, inference/model.py, MLA.forward); its output still needs W_UV.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.model import Problem
from harness.operators.attention import reference as attention
from harness.operators.base import Expected
from harness.operators.decode import reference as decode
from harness.operators.mla.cost import as_attention

DIFFERENTIABLE = attention.DIFFERENTIABLE


def make_inputs(
    problem: Problem, seed: int, device: torch.device, layout: str
) -> dict[str, Tensor]:
    """Naive: q, k, v (and grad_out); absorbed: q, kv_cache, lengths and what the cache needs."""
    if problem.cache:
        return decode.make_inputs(problem, seed, device, layout)
    return attention.make_inputs(as_attention(problem), seed, device, layout)


def expected(problem: Problem, seed: int) -> Expected:
    """The fp64 oracle of either form, as decode's or attention's."""
    if problem.cache:
        return decode.expected(problem, seed)
    return attention.expected(as_attention(problem), seed)


def select(
    problem: Problem, seed: int, outputs: dict[str, Tensor], layout: str
) -> dict[str, NDArray[Any]]:
    """The part of a kernel's outputs that ``expected`` speaks of. Raises WrongOutput."""
    if problem.cache:
        return decode.select(problem, seed, outputs, layout)
    return attention.select(as_attention(problem), seed, outputs, layout)
