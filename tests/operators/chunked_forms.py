"""Each recurrent operator a third time: states between chunks of tokens, matrices inside them.

Every form takes the inputs in fp64, [B, H, S, D], and gives out [B, H, S, Dv]. The formulas are
those of the papers' chunked algorithms; nothing is shared with the kernels, the oracles or the
quadratic forms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import elu

from harness.model import Problem

Form = Callable[[dict[str, Tensor], Problem], Tensor]
CHUNK = 8
"""Tokens in a chunk: small problems have several, and a rest."""


def pieces(*given: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tokens of every tensor [B, H, S, D], CHUNK at a time."""
    yield from zip(*(t.split(CHUNK, 2) for t in given), strict=True)


def empty_state(key: Tensor, value: Tensor) -> Tensor:
    """[B, H, Dk, Dv] of zeros."""
    return value.new_zeros(*value.shape[:2], key.shape[-1], value.shape[-1])


class Decay:
    """Logarithms of decays g [B, H, C, Dk] in a chunk, as factors from and to its ends."""

    def __init__(self, g: Tensor) -> None:
        self.after = g.cumsum(2)
        """log of the decay from the chunk's start until after token i."""
        self.before = self.after - g
        """… until before token i."""

    def pairs(self, q: Tensor, k: Tensor, *, before: bool = False) -> Tensor:
        """[B, H, C, C] q_i·k_j under the decays that lie after j, until after (before) i."""
        ends = self.before if before else self.after
        between = (ends.unsqueeze(3) - self.after.unsqueeze(2)).exp()
        inside = torch.einsum("bhid,bhjd,bhijd->bhij", q, k, between)
        return inside.tril(-1 if before else 0)

    def advance(self, state: Tensor, k: Tensor, added: Tensor) -> Tensor:
        """The state after the chunk: decayed as a whole, plus k·addedᵀ under the decays after."""
        last = self.after[:, :, -1:]
        return last.exp().mT * state + self.kept(k).mT @ added

    def kept(self, k: Tensor) -> Tensor:
        """Keys under the decays from after them until the chunk's end."""
        return k * (self.after[:, :, -1:] - self.after).exp()


def decayed(q: Tensor, k: Tensor, v: Tensor, g: Tensor) -> Tensor:
    """S = diag(e^g)·S + k·vᵀ, out = qᵀS (arXiv 2312.06635, §4.1)."""
    state, outs = empty_state(k, v), []
    for qs, ks, vs, gs in pieces(q, k, v, g):
        decay = Decay(gs)
        outs.append((qs * decay.after.exp()) @ state + decay.pairs(qs, ks) @ vs)
        state = decay.advance(state, ks, vs)
    return torch.cat(outs, 2)


def linear_attention(x: dict[str, Tensor], p: Problem) -> Tensor:
    """Numerator and normaliser as two states (arXiv 2006.16236, §3.3); two passes without mask."""
    q, k, v = elu(x["q"]) + 1, elu(x["k"]) + 1, x["v"]
    state, total, outs = empty_state(k, v), k.new_zeros(*k.shape[:2], k.shape[-1], 1), []
    if not p.causal:
        for ks, vs in pieces(k, v):
            state, total = state + ks.mT @ vs, total + ks.sum(2).unsqueeze(-1)
        return q @ state / (q @ total)
    for qs, ks, vs in pieces(q, k, v):
        inside = (qs @ ks.mT).tril()
        up, down = qs @ state + inside @ vs, qs @ total + inside.sum(-1, keepdim=True)
        outs.append(up / down)
        state, total = state + ks.mT @ vs, total + ks.sum(2).unsqueeze(-1)
    return torch.cat(outs, 2)


def gated_linear(x: dict[str, Tensor], p: Problem) -> Tensor:
    """arXiv 2312.06635, §4.1."""
    return p.effective_scale * decayed(x["q"], x["k"], x["v"], x["g"])


def retention(x: dict[str, Tensor], p: Problem) -> Tensor:
    """arXiv 2307.08621, §2.3: γ to the power of distances, by head."""
    outs = []
    for h in range(p.heads_q):
        gamma = 1 - 2.0 ** (-5 - h)
        q, k, v = (x[n][:, h] for n in "qkv")
        state, rows = torch.zeros(len(q), q.shape[-1], v.shape[-1], dtype=q.dtype), []
        for qs, ks, vs in zip(*(t.split(CHUNK, 1) for t in (q, k, v)), strict=True):
            size = qs.shape[1]
            i = torch.arange(size, dtype=q.dtype)
            power = gamma ** (i[:, None] - i).clamp(min=0)
            across = (gamma ** (i + 1))[:, None] * (qs @ state)
            rows.append((qs @ ks.mT * power).tril() @ vs + across)
            state = gamma**size * state + (ks * (gamma ** (size - 1 - i))[:, None]).mT @ vs
        outs.append(torch.cat(rows, 1))
    return p.effective_scale * torch.stack(outs, 1)


def gated_delta_rule(x: dict[str, Tensor], p: Problem) -> Tensor:
    """WY form (arXiv 2412.06464, §3.3): what a chunk really adds, u, solves a small system."""
    k, v, beta = x["k"], x["v"], x["beta"]
    g = x["g"] if "g" in x else torch.zeros_like(beta)
    state, outs = empty_state(k, v), []
    for qs, ks, vs, bs, gs in pieces(x["q"], k, v, beta, g.expand_as(k)):
        decay = Decay(gs)
        system = torch.eye(ks.shape[2], dtype=k.dtype) + bs * decay.pairs(ks, ks).tril(-1)
        wanted = bs * (vs - (ks * decay.after.exp()) @ state)
        u = torch.linalg.solve_triangular(system, wanted, upper=False)
        outs.append((qs * decay.after.exp()) @ state + decay.pairs(qs, ks) @ u)
        state = decay.advance(state, ks, u)
    return p.effective_scale * torch.cat(outs, 2)


def mamba2(x: dict[str, Tensor], p: Problem) -> Tensor:
    """State-space duality's block decomposition (arXiv 2405.21060, §6), groups repeated."""
    b, c = (x[n].repeat_interleave(p.group, 1) for n in "bc")
    return decayed(c, b, x["x"], x["a"].expand_as(b))


def rwkv6(x: dict[str, Tensor], p: Problem) -> Tensor:
    """As gated_linear, but token i reads the state before it, and itself through its bonus."""
    r, k, v, w = (x[n] for n in "rkvw")
    state, outs = empty_state(k, v), []
    for rs, ks, vs, ws in pieces(r, k, v, w):
        decay = Decay(ws)
        own = (rs * x["u"].unsqueeze(1) * ks).sum(-1, keepdim=True) * vs
        inside = decay.pairs(rs, ks, before=True) @ vs
        outs.append((rs * decay.before.exp()) @ state + inside + own)
        state = decay.advance(state, ks, vs)
    return torch.cat(outs, 2)


def rwkv7(x: dict[str, Tensor], p: Problem) -> Tensor:
    """u_i = a_iᵀS_i−1 of a chunk's tokens solve a small system (arXiv 2503.14456, appendix)."""
    state, outs = empty_state(x["k"], x["v"]), []
    for rs, ws, ks, vs, a_s, bs in pieces(*(x[n] for n in ("r", "w", "k", "v", "a", "b"))):
        decay = Decay(ws)
        system = torch.eye(rs.shape[2], dtype=rs.dtype) - decay.pairs(a_s, bs, before=True)
        known = (a_s * decay.before.exp()) @ state + decay.pairs(a_s, ks, before=True) @ vs
        u = torch.linalg.solve_triangular(system, known, upper=False)
        inside = decay.pairs(rs, bs) @ u + decay.pairs(rs, ks) @ vs
        outs.append((rs * decay.after.exp()) @ state + inside)
        state = decay.advance(state, ks, vs) + decay.kept(bs).mT @ u
    return torch.cat(outs, 2)


def path(x: dict[str, Tensor], p: Problem) -> Tensor:
    """UT transforms inside chunks, products of whole chunks between (arXiv 2505.16381, §3.2).

    H_i … H_j+1 of a chunk is I − Σ w_l·u_lᵀ with u = T·W, T = (I + strictly lower β·W·Wᵀ)⁻¹·β.
    """
    chunks = []
    for qs, ks, vs, ws, bs in pieces(x["q"], x["k"], x["v"], x["w"], x["beta"]):
        size = qs.shape[2]
        system = torch.eye(size, dtype=qs.dtype) + bs * (ws @ ws.mT).tril(-1)
        t = torch.linalg.solve_triangular(system, torch.diag_embed(bs[..., 0]), upper=False)
        reach, hits = (qs @ ws.mT).tril(), (ws @ ks.mT).tril(-1)
        chunks.append(
            {
                "own": (qs @ ks.mT - reach @ t @ hits),
                "to_start": qs - reach @ t @ ws,
                "to_end": ks - (t @ hits).mT @ ws,
                "through": torch.eye(qs.shape[-1], dtype=qs.dtype) - ws.mT @ t @ ws,
                "v": vs,
            }
        )
    outs = []
    for n, chunk in enumerate(chunks):
        size = chunk["own"].shape[-1]
        hidden = torch.ones(size, size, dtype=torch.bool).triu(1)
        scores, q = [chunk["own"].masked_fill(hidden, -torch.inf)], chunk["to_start"]
        for earlier in reversed(chunks[:n]):
            scores.append(q @ earlier["to_end"].mT)
            q = q @ earlier["through"]
        weights = (p.effective_scale * torch.cat(scores[::-1], -1)).softmax(-1)
        outs.append(weights @ torch.cat([c["v"] for c in chunks[: n + 1]], 2))
    return torch.cat(outs, 2)


FORMS: dict[str, Form] = {
    "linear_attention": linear_attention,
    "gated_linear": gated_linear,
    "retention": retention,
    "delta_rule": gated_delta_rule,
    "gated_delta_rule": gated_delta_rule,
    "mamba2": mamba2,
    "rwkv6": rwkv6,
    "rwkv7": rwkv7,
    "path": path,
}
