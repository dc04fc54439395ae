"""PaTH attention in fp64 (Yang et al. 2025, arXiv 2505.16381, §2).

    A_ij = scale·q_iᵀ(H_i … H_j+1)k_j for j ≤ i    H_t = I − β_t·w_t·w_tᵀ    out = softmax(A)·V

Inputs q, k, w [B, H, S, Dqk], v [B, H, S, Dv] and beta [B, H, S, 1]; w has norm 1 and beta =
2·sigmoid(N(0,1)) lies in (0, 2), as in the paper, so that no H grows a vector. The steps are taken
inside blocks of tokens, all blocks at once; a block as a whole is a Dqk × Dqk matrix.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from harness.model import Problem
from harness.operators.path.cost import COUNTS
from harness.operators.recurrent.family import Family
from harness.operators.recurrent.values import unit

BOUND = 5e-3  # fla's for PaTH (FIELD.md §6)
BLOCK = 32


def oracle(x: dict[str, Tensor], problem: Problem) -> Tensor:
    """out [heads, S, Dv] of q, k, w [heads, S, Dqk], v [heads, S, Dv] and beta [heads, S, 1]."""
    tokens = x["q"].shape[1]
    rest = -tokens % BLOCK  # steps with β = 0, and keys after every query
    q, k, v, w, beta = (
        pad(x[n], (0, 0, 0, rest)).unflatten(1, (-1, BLOCK)) for n in ("q", "k", "v", "w", "beta")
    )
    own, q, through = _queries(q * problem.effective_scale, k, w, beta)
    k = _keys(k, w, beta)
    # unbind, not indices: the gradient of an index is as large as what it was taken from
    blocks = [x.unbind(1) for x in (own, q, k, through, v)]
    outs = []
    for n, (own_n, q_n) in enumerate(zip(*blocks[:2], strict=True)):
        behind = (blocks[2][:n], blocks[3][:n], blocks[4][: n + 1])
        given = (own_n, q_n, *(t for part in behind for t in part))
        if torch.is_grad_enabled():
            outs.append(checkpoint(_block, *given, use_reentrant=False))
        else:
            outs.append(_block(*given))
    return torch.cat(outs, 1)[:, :tokens]


def _step(rows: Tensor, w: Tensor, beta: Tensor) -> Tensor:
    """Each row times H = I − β·w·wᵀ, of [heads, blocks, rows, dk], w [..., dk] and beta [..., 1].

    ``beta`` is [heads, blocks, rows, 1]: a row that the step doesn't concern has 0.
    """
    return rows - beta * (rows @ w.unsqueeze(-1)) * w.unsqueeze(-2)


def _queries(q: Tensor, k: Tensor, w: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores inside each block, the queries taken to its beginning, and the block as a matrix."""
    heads, blocks, size, dim = q.shape
    eye = torch.eye(dim, dtype=q.dtype).expand(heads, blocks, dim, dim)
    rows = torch.cat([q, eye], 2)  # the unit vectors take every step
    last = torch.cat([torch.arange(size), torch.full((dim,), size)]).unsqueeze(-1)
    scores = []
    for t in reversed(range(size)):  # key t is met after the steps i … t+1
        scores.append(rows[:, :, :size] @ k[:, :, t].unsqueeze(-1))
        rows = _step(rows, w[:, :, t], beta[:, :, t].unsqueeze(-2) * (last >= t))
    hidden = torch.ones(size, size, dtype=torch.bool).triu(1)
    own = torch.cat(scores[::-1], -1).masked_fill(hidden, -torch.inf)
    return own, rows[:, :, :size], rows[:, :, size:]


def _keys(k: Tensor, w: Tensor, beta: Tensor) -> Tensor:
    """Keys taken to the end of their block: H_last … H_j+1 · k_j."""
    at = torch.arange(k.shape[2]).unsqueeze(-1)
    for t in range(k.shape[2]):
        k = _step(k, w[:, :, t], beta[:, :, t].unsqueeze(-2) * (at < t))
    return k


def _block(own: Tensor, q: Tensor, *behind: Tensor) -> Tensor:
    """A block of queries over its own keys and those of the n blocks before, nearest first.

    ``behind``: n blocks of keys, n of matrices, n + 1 of values.
    """
    n = len(behind) // 3
    keys, through, values = behind[:n], behind[n : 2 * n], behind[2 * n :]
    scores = [own]
    for k, matrix in zip(reversed(keys), reversed(through), strict=True):
        scores.append(q @ k.mT)
        q = q @ matrix
    return torch.cat(scores[::-1], -1).softmax(-1) @ torch.cat(values, 1)


VALUES = {"w": unit("w"), "beta": lambda normal: 2 * normal("beta").sigmoid()}
FAMILY = Family(COUNTS, oracle, VALUES, BOUND, work=lambda p: p.seq_q * p.seq_k * p.head_dim_qk / 8)
