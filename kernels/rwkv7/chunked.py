"""RWKV-7 in chunks: what each token adds to the state solves a triangular system a chunk.

    u = aᵀS before each token:  (I − A_ab)·u = A_ak·V + (a·e^(G−w))·S
    out = A_rb·u + A_rk·V + (r·e^G)·S    S = diag(e^G_last)·S + (b·e^(G_last−G))ᵀu + (k·…)ᵀV

with G = w summed in the chunk, and A_xy[i, j] the products of x_i and y_j decayed from j to i.
Peng et al. 2025 (arXiv 2503.14456), §4; the triangular (UT) transform as in arXiv 2406.06484.
Shapes: r, w, k, v, a, b [B, H, S, D] → out [B, H, S, D]. Option ``chunk``: tokens of a chunk.
"""

import torch
from torch.nn import functional as F

LAYOUT = "BHSD"


def in_chunks(x, chunk):
    """[B, H, S, D] → [B, H, chunks, chunk, D], with rows of zeros after the last token."""
    x = F.pad(x, (0, 0, 0, -x.shape[2] % chunk))
    return x.unflatten(2, (-1, chunk))


def pairs(q, k, ends, starts, diagonal):
    """A[i, j] = Σ_d q_id·k_jd·exp(ends_i − starts_j)_d up to ``diagonal``, 0 above it.

    The decays between two tokens are subtracted before exp, which so never overflows: a product of
    exp(ends) and exp(−starts), one matrix product, would at strong decays.
    """
    span = ends.unsqueeze(-2) - starts.unsqueeze(-3)
    hidden = torch.ones(span.shape[-3:-1], dtype=torch.bool, device=q.device).triu(diagonal + 1)
    span = span.masked_fill(hidden[..., None], -torch.inf)
    return (q.unsqueeze(-2) * k.unsqueeze(-3) * span.exp()).sum(-1)


def build(problem, device, options):
    """A differentiable function from r, w, k, v, a, b to out."""
    chunk, tokens = min(options["chunk"], problem.seq_q), problem.seq_q

    def attention(inputs):
        dtype = inputs["r"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        r, w, k, v, a, b = (
            in_chunks(inputs[n].to(wide), chunk) for n in ("r", "w", "k", "v", "a", "b")
        )
        total = w.cumsum(-2)
        last, before = total[..., -1:, :], total - w
        system = -pairs(a, b, before, total, -1)  # the unit diagonal is implied
        known = torch.cat([pairs(a, k, before, total, -1) @ v, a * before.exp()], -1)
        solved = torch.linalg.solve_triangular(system, known, upper=False, unitriangular=True)
        own, of_state = solved.split([v.shape[-1], a.shape[-1]], -1)
        read_u, read_v = pairs(r, b, total, total, 0), pairs(r, k, total, total, 0) @ v
        left = (last - total).exp()
        queries, added = r * total.exp(), (k * left).mT @ v
        to_state, kept = (b * left).mT, last.exp().mT
        state, outs = torch.zeros_like(added[:, :, 0]), []
        for n in range(added.shape[2]):
            u = own[:, :, n] + of_state[:, :, n] @ state
            outs.append(read_v[:, :, n] + read_u[:, :, n] @ u + queries[:, :, n] @ state)
            state = state * kept[:, :, n] + added[:, :, n] + to_state[:, :, n] @ u
        return torch.cat(outs, 2)[:, :, :tokens].to(dtype)

    return attention
