"""Each recurrent operator once more, by another road: the matrix that its outputs are linear in.

Every form takes the inputs in fp64, [B, H, S, D], and gives out [B, H, S, Dv]. None steps through
the tokens with a state, as the oracles do.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import elu

from harness.model import Problem

Form = Callable[[dict[str, Tensor], Problem], Tensor]


def linear_attention(x: dict[str, Tensor], p: Problem) -> Tensor:
    """Normalised φ(q)·φ(k), as equation 3 of arXiv 2006.16236."""
    a = (elu(x["q"]) + 1) @ (elu(x["k"]) + 1).mT
    a = a.tril() if p.causal else a
    return a @ x["v"] / a.sum(-1, keepdim=True)


def decayed(q: Tensor, k: Tensor, g: Tensor, *, before: bool = False) -> Tensor:
    """A[i, j] = Σ_d q_id·k_jd·exp(g_j+1 + … + g_i)_d for j ≤ i, 0 above.

    ``before``: for j < i, up to g_i−1, as the state is before token i.
    """
    total = g.cumsum(2)
    ends = total - g if before else total
    span = ends.unsqueeze(3) - total.unsqueeze(2)
    a = (q.unsqueeze(3) * k.unsqueeze(2) * span.clamp(max=0).exp()).sum(-1)
    return a.tril(-1 if before else 0)


def gated_linear(x: dict[str, Tensor], p: Problem) -> Tensor:
    """All pairs of tokens with the decay between them."""
    return p.effective_scale * decayed(x["q"], x["k"], x["g"]) @ x["v"]


def retention(x: dict[str, Tensor], p: Problem) -> Tensor:
    """γ^(i−j) on every pair."""
    at = torch.arange(p.seq_q, dtype=torch.float64)
    gamma = torch.tensor([1 - 2.0 ** (-5 - h) for h in range(p.heads_q)], dtype=torch.float64)
    decay = gamma.view(-1, 1, 1) ** (at[:, None] - at).clamp(min=0)
    return (p.effective_scale * x["q"] @ x["k"].mT * decay).tril() @ x["v"]


def gated_delta_rule(x: dict[str, Tensor], p: Problem) -> Tensor:
    """What is really added to the state, u, solves a triangular system (the UT transform)."""
    g = x["g"] if "g" in x else torch.zeros_like(x["beta"])
    wide = g.expand_as(x["k"])
    eye = torch.eye(p.seq_q, dtype=torch.float64)
    system = eye + x["beta"] * decayed(x["k"], x["k"], wide).tril(-1)
    u = torch.linalg.solve(system, x["beta"] * x["v"])
    return p.effective_scale * decayed(x["q"], x["k"], wide) @ u


def mamba2(x: dict[str, Tensor], p: Problem) -> Tensor:
    """The dual form: (L ∘ C·Bᵀ)·X, with groups repeated."""
    b, c = (x[n].repeat_interleave(p.group, 1) for n in "bc")
    return decayed(c, b, x["a"].expand_as(b)) @ x["x"]


def rwkv6(x: dict[str, Tensor], p: Problem) -> Tensor:
    """Earlier tokens with the decays between, and the token itself with its bonus."""
    own = (x["r"] * x["u"].unsqueeze(1) * x["k"]).sum(-1, keepdim=True)
    return decayed(x["r"], x["k"], x["w"], before=True) @ x["v"] + own * x["v"]


def rwkv7(x: dict[str, Tensor], p: Problem) -> Tensor:
    """u = aᵀS before each token solves a triangular system."""
    eye = torch.eye(p.seq_q, dtype=torch.float64)
    system = eye - decayed(x["a"], x["b"], x["w"], before=True)
    u = torch.linalg.solve(system, decayed(x["a"], x["k"], x["w"], before=True) @ x["v"])
    return decayed(x["r"], x["b"], x["w"]) @ u + decayed(x["r"], x["k"], x["w"]) @ x["v"]


def path(x: dict[str, Tensor], p: Problem) -> Tensor:
    """One pair at a time: the product of the matrices H between them, written out."""
    eye = torch.eye(p.head_dim_qk, dtype=torch.float64)
    steps = eye - x["beta"].unsqueeze(-1) * x["w"].unsqueeze(-1) * x["w"].unsqueeze(-2)
    rows = []
    for i in range(p.seq_q):
        product, scores = eye.expand_as(steps[:, :, 0]), []
        for j in range(i, -1, -1):
            scores.append((x["q"][:, :, i, None] @ product @ x["k"][:, :, j, :, None])[..., 0, 0])
            product = product @ steps[:, :, j]
        weights = (p.effective_scale * torch.stack(scores[::-1], -1)).softmax(-1)
        rows.append(weights.unsqueeze(-2) @ x["v"][:, :, : i + 1])
    return torch.cat(rows, 2)


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
