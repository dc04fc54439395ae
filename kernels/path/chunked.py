"""PaTH attention in blocks: each block of queries goes back over the blocks of keys, turning.

    inside a block:  A = tril(Q·Kᵀ) − tril(Q·Wᵀ)·T·tril(W·Kᵀ, −1)
                     T = (I + tril(β·W·Wᵀ, −1))⁻¹·diag(β)
    before it:       A = Q̃·K̃ᵀ, then Q̃ = Q̃ − (Q̃·Wᵀ)·T·W of that block

Yang et al. 2025 (arXiv 2505.16381), §3.2: the blockwise form, here without the running softmax: a
block keeps its scores. Q̃ are queries taken to their block's beginning, K̃ keys to their block's end.
Shapes: q, k, w [B, H, S, Dqk], v [B, H, S, Dv], beta [B, H, S, 1] → out [B, H, S, Dv]. All queries
behind a block go over it at once. Option ``chunk``: tokens of a block.
"""

import torch
from torch.nn import functional as F

LAYOUT = "BHSD"


def in_chunks(x, chunk):
    """[B, H, S, D] → [B, H, chunks, chunk, D], with rows of zeros after the last token."""
    x = F.pad(x, (0, 0, 0, -x.shape[2] % chunk))
    return x.unflatten(2, (-1, chunk))


def build(problem, device, options):
    """A differentiable function from q, k, v, w, beta to out."""
    chunk, tokens = min(options["chunk"], problem.seq_q), problem.seq_q
    scale = problem.effective_scale

    def attention(inputs):
        dtype = inputs["q"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        names = ("q", "k", "v", "w", "beta")
        q, k, v, w, beta = (in_chunks(inputs[n].to(wide), chunk) for n in names)
        q, size = q * scale, chunk
        system = (beta * (w @ w.mT)).tril(-1)  # the unit diagonal is implied
        met = (w @ k.mT).tril(-1)
        known = beta * torch.cat([met, w], -1)
        solved = torch.linalg.solve_triangular(system, known, upper=False, unitriangular=True)
        met, turned = solved.split([size, w.shape[-1]], -1)
        of_q = (q @ w.mT).tril()
        hidden = torch.ones(size, size, dtype=torch.bool, device=q.device).triu(1)
        own = (q @ k.mT - of_q @ met).masked_fill(hidden, -torch.inf)
        to_begin, to_end = q - of_q @ turned, k - met.mT @ w
        scores = [[own[:, :, n]] for n in range(q.shape[2])]
        behind = to_begin[:, :, :0]
        for n in reversed(range(q.shape[2] - 1)):  # block n of keys, all queries after it
            behind = torch.cat([to_begin[:, :, n + 1, None], behind], 2)
            met_n = behind @ to_end[:, :, n, None].mT
            for m in range(behind.shape[2]):
                scores[n + 1 + m].append(met_n[:, :, m])
            behind = behind - (behind @ w[:, :, n, None].mT) @ turned[:, :, n, None]
        outs = [
            torch.cat(parts[::-1], -1).softmax(-1) @ v[:, :, : n + 1].flatten(2, 3)
            for n, parts in enumerate(scores)
        ]
        return torch.cat(outs, 2)[:, :, :tokens].to(dtype)

    return attention
