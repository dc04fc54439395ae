"""Attention and its gradients in plain torch, row by row in fp64: slow, obvious, bounded memory.

    s = scale·q·kᵀ (softcapped, then ALiBi's bias, masked)    p = softmax(s)    out = p·v
    dp = dO·vᵀ    δ = Σ p∘dp    ds = p∘(dp − δ)    dq = scale·ds·k    dk = scale·dsᵀ·q    dv = pᵀ·dO

Vaswani et al. 2017 §3.2.1; the backward pass as in FlashAttention (arXiv 2205.14135, appendix
B.4). A sink is one more logit in the softmax's denominator, with no value: the formulas stay, and
its own gradient is that of a score whose dp is 0: −Σ p_sink·δ over rows and sequences. The
functions work on one key/value head and the ``group`` query heads that share it, and on
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
from harness.operators.masks import key_range, shared_range, visible

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
    sinks: Tensor | None = None
    """[group] a logit per query head that joins the softmax's denominator."""
    slopes: Tensor | None = None
    """[group] ALiBi's slope per query head, fp64."""


class Rows(NamedTuple):
    """Values of some rows, and how large their rounding noise naturally is."""

    value: Tensor
    """[…, rows, dim]"""
    scale: Tensor
    """[…, rows] root of the sum of squares of the terms that a row sums, RMS over the head dim.

    A unit roundoff's error in each term, independent of the others, errs by a unit roundoff of
    this. A score's error is relative to the score, and moves its weight by as much: so a term
    counts 1 + |score| times. δ's error is that of its own terms out∘dO, which may cancel.
    """


def _scores(
    q: Tensor,
    k: Tensor,
    at: tuple[Tensor, Tensor],
    slopes: Tensor | None,
    p: Problem,
    ar: Arithmetic,
) -> tuple[Tensor, Tensor | None]:
    """[group, rows, keys] scores of ``at`` = (rows, keys), −∞ where hidden; the softcap's slope."""
    group, n, dim = q.shape
    s = ar(q.reshape(group * n, dim) @ k.T).view(group, n, -1)
    s = ar(s.mul_(p.effective_scale))
    slope = None
    if p.softcap:
        s = ar(s.div_(p.softcap).tanh_())
        slope = 1 - s.square()
        s = ar(s.mul_(p.softcap))
    if slopes is not None:
        rows, keys = at
        distance = (rows[:, None] + (p.seq_k - p.seq_q) - keys[None, :]).abs()
        s = ar(s - slopes.to(s.dtype)[:, None, None] * distance)
    return _hide(s, *at, p), slope


def _hide(s: Tensor, rows: Tensor, keys: Tensor, p: Problem) -> Tensor:
    """Set to −∞ what is hidden, in place, passing over the keys that every row sees (most do)."""
    if p.mask == "full":
        return s
    low, high = shared_range(p, int(rows[0]), int(rows[-1]))
    first, last = torch.searchsorted(keys, torch.tensor([low, high])).tolist()
    edges = [slice(0, first), slice(last, None)] if first < last else [slice(None)]
    for edge in edges:
        seen = visible(p, rows[:, None], keys[None, edge])
        s[..., edge].masked_fill_(~seen, -torch.inf)
    return s


def _softmax(s: Tensor, sinks: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Softmax and log-sum-exp over the last axis; 0 and −∞ for a row that sees nothing.

    ``sinks`` [group] are counted in both.
    """
    sink = None if sinks is None else sinks.to(s.dtype)[:, None, None]
    if s.shape[-1] == 0:
        lse = s.new_full(s.shape[:-1], -torch.inf)
        return s, lse if sink is None else torch.maximum(lse, sink.squeeze(-1))
    top = s.amax(-1, keepdim=True).clamp_(min=torch.finfo(s.dtype).min)
    if sink is not None:
        top = torch.maximum(top, sink)
    e = torch.sub(s, top).exp_()
    total = e.sum(-1, keepdim=True)
    if sink is not None:
        total += torch.exp(sink - top)
    lse = (top + total.log()).squeeze(-1)
    return e.div_(total.clamp_(min=torch.finfo(s.dtype).tiny)), lse


def _noisy(weights: Tensor, s: Tensor) -> Tensor:
    """Each weight with the share of its score's error: w·(1 + |s|); hidden pairs have w = 0."""
    return weights * s.nan_to_num(neginf=0.0).abs_().add_(1)


def chunks(p: Problem, rows: Tensor, keys: int) -> Iterator[tuple[slice, Tensor, slice]]:
    """Pieces of ``rows`` whose scores fit in CHUNK: (where, rows, the keys that they may see)."""
    step = max(1, CHUNK // (p.group * keys))
    for start in range(0, len(rows), step):
        piece = rows[start : start + step]
        low, high = key_range(p, int(piece[0]), int(piece[-1]))
        yield slice(start, start + len(piece)), piece, slice(low, high)


def forward(x: Heads, rows: Tensor, p: Problem, ar: Arithmetic = EXACT) -> Rows:
    """Output [group, rows, Dv] of query ``rows``."""
    k, v = x.k.to(ar.compute), x.v.to(ar.compute)
    v_power = v.square().mean(-1)
    out = v.new_zeros(p.group, len(rows), p.head_dim_v)
    power = v.new_zeros(p.group, len(rows))
    for at, piece, seen in chunks(p, rows, p.seq_k):
        keys = torch.arange(seen.start, seen.stop)
        s, _ = _scores(x.q[:, piece].to(ar.compute), k[seen], (piece, keys), x.slopes, p, ar)
        weights = ar(_softmax(s, x.sinks)[0])
        out[:, at] = ar(weights @ v[seen])
        power[:, at] = _noisy(weights, s).square_() @ v_power[seen]
    return Rows(out, power.sqrt_())


def backward_queries(x: Heads, rows: Tensor, p: Problem, ar: Arithmetic = EXACT) -> Rows:
    """dq [group, rows, Dqk] of query ``rows``."""
    assert x.grad_out is not None
    k, v = x.k.to(ar.compute), x.v.to(ar.compute)
    k_power = k.square().mean(-1)
    dq = k.new_zeros(p.group, len(rows), p.head_dim_qk)
    power = k.new_zeros(p.group, len(rows))
    for at, piece, seen in chunks(p, rows, p.seq_k):
        keys = torch.arange(seen.start, seen.stop)
        grad = x.grad_out[:, piece].to(ar.compute)
        s, slope = _scores(x.q[:, piece].to(ar.compute), k[seen], (piece, keys), x.slopes, p, ar)
        weights = ar(_softmax(s, x.sinks)[0])
        dp = ar(grad @ v[seen].T)
        delta = (weights * dp).sum(-1, keepdim=True)
        ds = weights * (dp - delta)
        ds = ar(ds if slope is None else ds * slope)
        dq[:, at] = ar(ar(ds * p.effective_scale) @ k[seen])
        delta_noise = delta.abs() + (weights @ v[seen]).mul_(grad).norm(dim=-1, keepdim=True)
        terms = _noisy(weights, s) * (dp.abs() + delta_noise) * p.effective_scale
        power[:, at] = terms.square_() @ k_power[seen]
    return Rows(dq, power.sqrt_())


class Statistics(NamedTuple):
    """What a key's gradient needs of the query rows that see it: each [group, Sq], fp64."""

    lse: Tensor
    """Log-sum-exp of a row's scores."""
    delta: Tensor
    """δ = Σ_d out∘dO."""
    delta_noise: Tensor
    """|δ| + √Σ_d (out∘dO)²: a unit roundoff of it is δ's natural error."""


def row_statistics(x: Heads, p: Problem) -> Statistics:
    """Statistics of every query row: the S² part of a sampled backward oracle."""
    assert x.grad_out is not None
    k, v = x.k.to(EXACT.dtype), x.v.to(EXACT.dtype)
    lse = v.new_empty(p.group, p.seq_q)
    delta, noise = torch.empty_like(lse), torch.empty_like(lse)
    for at, piece, seen in chunks(p, torch.arange(p.seq_q), p.seq_k):
        keys = torch.arange(seen.start, seen.stop)
        s, _ = _scores(x.q[:, at].to(EXACT.dtype), k[seen], (piece, keys), x.slopes, p, EXACT)
        weights, lse[:, at] = _softmax(s, x.sinks)
        terms = (weights @ v[seen]).mul_(x.grad_out[:, at])
        delta[:, at] = terms.sum(-1)
        noise[:, at] = delta[:, at].abs() + terms.norm(dim=-1)
    return Statistics(lse, delta, noise)


def backward_keys(
    x: Heads, keys: Tensor, statistics: Statistics, p: Problem, ar: Arithmetic = EXACT
) -> tuple[Rows, Rows]:
    """dk [keys, Dqk] and dv [keys, Dv] of key rows ``keys``."""
    assert x.grad_out is not None
    k, v = x.k[keys].to(ar.compute), x.v[keys].to(ar.compute)
    lse, delta, delta_noise = (row.to(ar.compute).unsqueeze(-1) for row in statistics)
    dk, dv = torch.zeros_like(k), torch.zeros_like(v)
    dk_power, dv_power = k.new_zeros(len(keys)), k.new_zeros(len(keys))
    for at, piece, _ in chunks(p, torch.arange(p.seq_q), len(keys)):
        q, grad = x.q[:, at].to(ar.compute), x.grad_out[:, at].to(ar.compute)
        s, slope = _scores(q, k, (piece, keys), x.slopes, p, ar)
        # a row that sees nothing has lse −∞ and scores −∞: its weights are 0, not exp(nan)
        weights = ar(torch.sub(s, lse[:, at].clamp(min=torch.finfo(s.dtype).min)).exp_())
        dp = ar(grad @ v.T)
        ds = weights * (dp - delta[:, at])
        ds = ar(ar(ds if slope is None else ds * slope) * p.effective_scale)
        dk += ds.flatten(0, 1).T @ q.flatten(0, 1)
        dv += weights.flatten(0, 1).T @ grad.flatten(0, 1)
        noisy = _noisy(weights, s)
        terms = noisy * (dp.abs() + delta_noise[:, at]) * p.effective_scale
        dk_power += (terms.square_() * q.square().mean(-1, keepdim=True)).sum((0, 1))
        dv_power += (noisy.square_() * grad.square().mean(-1, keepdim=True)).sum((0, 1))
    return Rows(ar(dk), dk_power.sqrt_()), Rows(ar(dv), dv_power.sqrt_())


def backward_sinks(x: Heads, statistics: Statistics, ar: Arithmetic = EXACT) -> Rows:
    """dsinks [group, 1] of one sequence, still to be summed with those of the others.

    ``scale`` is squared, as squares are what sums; all in the computing type, rounded by terms.
    """
    assert x.sinks is not None
    sinks = x.sinks.to(ar.compute).unsqueeze(-1)
    lse, delta, delta_noise = (row.to(ar.compute) for row in statistics)
    weights = ar(torch.exp(sinks - lse))
    terms = ar(weights * delta)
    noisy = _noisy(weights, sinks) * delta_noise
    return Rows(-terms.sum(-1, keepdim=True), noisy.square_().sum(-1))
