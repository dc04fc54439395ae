"""Attention and its gradients in plain torch, row by row in fp64: slow, obvious, bounded memory.

    s = scale·q·kᵀ (softcapped, masked)    p = softmax(s)    out = p·v
    dp = dO·vᵀ    δ = Σ p∘dp    ds = p∘(dp − δ)    dq = scale·ds·k    dk = scale·dsᵀ·q    dv = pᵀ·dO

Vaswani et al. 2017 §3.2.1; the backward pass as in FlashAttention (arXiv 2205.14135, appendix
B.4). The functions work on one key/value head and the ``group`` query heads that share it, and on
any rows. The same lines in the problem's own precision are the baseline that kernels are judged
against: there every matrix product and softmax is rounded as plain torch would round it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from harness.model import Problem
from harness.operators.masks import key_range, visible

CHUNK = 1 << 20
"""Scores held at a time: 8 MB in fp64, which stays in cache and below malloc's mmap threshold."""


@dataclass(frozen=True)
class Arithmetic:
    """The precision that the formulas are computed in."""

    dtype: torch.dtype
    """Results are rounded to it."""

    @property
    def compute(self) -> torch.dtype:
        """16-bit types multiply in fp32 and round after, as GPUs do."""
        return torch.promote_types(self.dtype, torch.float32)

    def __call__(self, x: Tensor) -> Tensor:
        """``x`` rounded to ``dtype``, in the computing type."""
        if self.dtype is self.compute:
            return x.to(self.compute)
        return x.to(self.dtype).to(self.compute)


EXACT = Arithmetic(torch.float64)


class Heads(NamedTuple):
    """The inputs of one key/value head of one sequence, already rounded to the problem's dtype."""

    q: Tensor
    """[group, Sq, Dqk]"""
    k: Tensor
    """[Sk, Dqk]"""
    v: Tensor
    """[Sk, Dv]"""
    grad_out: Tensor | None = None
    """[group, Sq, Dv]"""


class Rows(NamedTuple):
    """Values of some rows, and the RMS of the terms that each row sums (its noise scale)."""

    value: Tensor
    """[…, rows, dim]"""
    scale: Tensor
    """[…, rows]"""


def _scores(q: Tensor, k: Tensor, at: tuple[Tensor, Tensor], p: Problem, ar: Arithmetic) -> Tensor:
    """[group, rows, keys] scaled, softcapped scores of ``at`` = (rows, keys), −∞ where hidden."""
    group, n, dim = q.shape
    s = ar(q.reshape(group * n, dim) @ k.T).view(group, n, -1)
    s = ar(s.mul_(p.effective_scale))
    if p.softcap:
        s = ar(torch.tanh(s / p.softcap) * p.softcap)
    seen = visible(p, at[0][:, None], at[1][None, :])
    return s if seen is None else s.masked_fill_(~seen, -torch.inf)


def _softcap_slope(s: Tensor, p: Problem) -> Tensor | float:
    """d(capped score)/d(raw score), from the capped score; hidden pairs have p = 0 anyway."""
    return 1 - (s.nan_to_num(neginf=0.0) / p.softcap) ** 2 if p.softcap else 1.0


def chunks(p: Problem, rows: Tensor, keys: int) -> Iterator[tuple[slice, Tensor, slice]]:
    """Pieces of ``rows`` whose scores fit in CHUNK: (where, rows, the keys that they may see)."""
    step = max(1, CHUNK // (p.group * keys))
    for start in range(0, len(rows), step):
        piece = rows[start : start + step]
        low, high = key_range(p, int(piece[0]), int(piece[-1]))
        yield slice(start, start + len(piece)), piece, slice(low, high)


def _softmax(s: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax and log-sum-exp over the last axis; 0 and −∞ for a row that sees nothing."""
    if s.shape[-1] == 0:
        return s, s.new_full(s.shape[:-1], -torch.inf)
    top = s.amax(-1, keepdim=True).clamp_(min=torch.finfo(s.dtype).min)
    e = s.sub_(top).exp_()
    total = e.sum(-1, keepdim=True)
    lse = (top + total.log()).squeeze(-1)
    return e.div_(total.clamp_(min=torch.finfo(s.dtype).tiny)), lse


def forward(x: Heads, rows: Tensor, p: Problem, ar: Arithmetic = EXACT) -> tuple[Rows, Tensor]:
    """Output [group, rows, Dv] and log-sum-exp [group, rows] of query ``rows``."""
    k, v = x.k.to(ar.compute), x.v.to(ar.compute)
    v_power = v.square().mean(-1)
    out = v.new_zeros(p.group, len(rows), p.head_dim_v)
    power = v.new_zeros(p.group, len(rows))
    lse = v.new_full((p.group, len(rows)), -torch.inf)
    for at, piece, seen in chunks(p, rows, p.seq_k):
        keys = torch.arange(seen.start, seen.stop)
        s = _scores(x.q[:, piece].to(ar.compute), k[seen], (piece, keys), p, ar)
        weights, lse[:, at] = _softmax(s)
        weights = ar(weights)
        out[:, at] = ar(weights @ v[seen])
        power[:, at] = weights.square_() @ v_power[seen]
    return Rows(out, power.sqrt_()), lse


def backward_queries(x: Heads, rows: Tensor, p: Problem, ar: Arithmetic = EXACT) -> Rows:
    """dq [group, rows, Dqk] of query ``rows``."""
    assert x.grad_out is not None
    k, v = x.k.to(ar.compute), x.v.to(ar.compute)
    k_power = k.square().mean(-1)
    dq = k.new_zeros(p.group, len(rows), p.head_dim_qk)
    power = k.new_zeros(p.group, len(rows))
    for at, piece, seen in chunks(p, rows, p.seq_k):
        keys = torch.arange(seen.start, seen.stop)
        s = _scores(x.q[:, piece].to(ar.compute), k[seen], (piece, keys), p, ar)
        slope = _softcap_slope(s, p)
        weights = ar(_softmax(s)[0])
        dp = ar(x.grad_out[:, piece].to(ar.compute) @ v[seen].T)
        delta = (weights * dp).sum(-1, keepdim=True)
        ds = ar(weights * (dp - delta) * slope)
        dq[:, at] = ar(ar(ds * p.effective_scale) @ k[seen])
        terms = weights * (dp.abs() + delta.abs()) * slope * p.effective_scale
        power[:, at] = terms.square() @ k_power[seen]
    return Rows(dq, power.sqrt_())


def row_statistics(x: Heads, p: Problem) -> tuple[Tensor, Tensor]:
    """Log-sum-exp and δ = Σ_d out∘dO, each [group, Sq], of every query row, in fp64.

    What a key's gradient needs of the rows that see it. This is the S² part of a sampled backward.
    """
    assert x.grad_out is not None
    k, v = x.k.to(EXACT.dtype), x.v.to(EXACT.dtype)
    lse = v.new_empty(p.group, p.seq_q)
    delta = torch.empty_like(lse)
    for at, piece, seen in chunks(p, torch.arange(p.seq_q), p.seq_k):
        keys = torch.arange(seen.start, seen.stop)
        s = _scores(x.q[:, at].to(EXACT.dtype), k[seen], (piece, keys), p, EXACT)
        weights, lse[:, at] = _softmax(s)
        delta[:, at] = (weights @ v[seen]).mul_(x.grad_out[:, at]).sum(-1)
    return lse, delta


def backward_keys(
    x: Heads, keys: Tensor, statistics: tuple[Tensor, Tensor], p: Problem, ar: Arithmetic = EXACT
) -> tuple[Rows, Rows]:
    """dk [keys, Dqk] and dv [keys, Dv] of key rows ``keys``, given ``row_statistics``."""
    assert x.grad_out is not None
    k, v = x.k[keys].to(ar.compute), x.v[keys].to(ar.compute)
    lse, delta = (row.to(ar.compute).unsqueeze(-1) for row in statistics)
    dk, dv = torch.zeros_like(k), torch.zeros_like(v)
    dk_power, dv_power = k.new_zeros(len(keys)), k.new_zeros(len(keys))
    for at, piece, _ in chunks(p, torch.arange(p.seq_q), len(keys)):
        q, grad = x.q[:, at].to(ar.compute), x.grad_out[:, at].to(ar.compute)
        s = _scores(q, k, (piece, keys), p, ar)
        slope = _softcap_slope(s, p)
        # a row that sees nothing has lse −∞ and scores −∞: its weights are 0, not exp(nan)
        weights = ar(s.sub_(lse[:, at].clamp(min=torch.finfo(s.dtype).min)).exp_())
        dp = ar(grad @ v.T)
        ds = ar(ar(weights * (dp - delta[:, at]) * slope) * p.effective_scale)
        dk += ds.flatten(0, 1).T @ q.flatten(0, 1)
        dv += weights.flatten(0, 1).T @ grad.flatten(0, 1)
        terms = weights * (dp.abs() + delta[:, at].abs()) * slope * p.effective_scale
        dk_power += (terms.square() * q.square().mean(-1, keepdim=True)).sum((0, 1))
        dv_power += (weights.square() * grad.square().mean(-1, keepdim=True)).sum((0, 1))
    return Rows(ar(dk), dk_power.sqrt_()), Rows(ar(dv), dv_power.sqrt_())
