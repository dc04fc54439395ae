"""Softmax attention as the stand-ins compute it: with any boolean mask, rows without a key 0."""

from __future__ import annotations

import torch
from torch import Tensor


def attend(
    q: Tensor, k: Tensor, v: Tensor, seen: Tensor, scale: float, softcap: float = 0.0,
    bias: Tensor | None = None, sinks: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """q [..., Hq, Sq, Dqk], k [..., Hkv, Sk, Dqk], v [..., Hkv, Sk, Dv] → [..., Hq, Sq, Dv].

    ``seen`` broadcasts to [..., Hq, Sq, Sk]; ``bias`` is added after the softcap; ``sinks`` [Hq].
    """
    group = q.shape[-3] // k.shape[-3]
    wide = [t.float() for t in (q, k, v)]
    keys, values = (t.repeat_interleave(group, -3) for t in wide[1:])
    scores = wide[0] @ keys.mT * scale
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    if bias is not None:
        scores = scores + bias
    scores = scores.masked_fill(~seen, -1e30)
    if sinks is not None:
        logit = sinks.float().view(-1, 1, 1).expand(*scores.shape[:-1], 1)
        weights = torch.cat([scores, logit], -1).softmax(-1)[..., :-1]
    else:
        weights = scores.softmax(-1)
    return (weights.masked_fill(~seen, 0) @ values).to(q.dtype)


def beside(queries: int, keys: int, corner: str) -> Tensor:
    """[Sq, Sk] how many positions key j lies ahead of query i, aligned at a corner."""
    first = keys - queries if corner == "bottom right" else 0
    return torch.arange(keys) - (torch.arange(queries)[:, None] + first)


def windowed(ahead: Tensor, left: int | None, right: int | None) -> Tensor:
    """Which keys lie up to ``left`` behind and ``right`` ahead, both included; None: no bound."""
    seen = torch.ones_like(ahead, dtype=torch.bool)
    if left is not None:
        seen &= ahead >= -left
    if right is not None:
        seen &= ahead <= right
    return seen
