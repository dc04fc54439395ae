"""The gated delta rule in chunks: a triangular system with the decays between tokens.

    (I + tril(β·K·Kᵀ∘D, −1))·u = β·(V − (k·e^G)·S)    D[i, j] = e^(G_i − G_j)
    out = tril(Q·Kᵀ∘D)·u + (q·e^G)·S    S = e^G_last·S + (k·e^(G_last−G))ᵀu    G = g summed

Yang et al. 2024 (arXiv 2412.06464), §3.3. Shapes: q, k [B, H, S, Dqk], v [B, H, S, Dv], g and
beta [B, H, S, 1] → out [B, H, S, Dv]. Option ``chunk``: tokens of a chunk.
"""

import torch
from torch.nn import functional as F

LAYOUT = "BHSD"


def in_chunks(x, chunk):
    """[B, H, S, D] → [B, H, chunks, chunk, D], with rows of zeros after the last token."""
    x = F.pad(x, (0, 0, 0, -x.shape[2] % chunk))
    return x.unflatten(2, (-1, chunk))


def decays(total):
    """exp(total_i − total_j) for j ≤ i, 0 above, of [..., chunk, 1]; subtracted before exp."""
    span = total - total.mT
    hidden = torch.ones(span.shape[-2:], dtype=torch.bool, device=span.device).triu(1)
    return span.masked_fill(hidden, -torch.inf).exp()


def build(problem, device, options):
    """A differentiable function from q, k, v, g, beta to out."""
    chunk, scale = min(options["chunk"], problem.seq_q), problem.effective_scale

    def attention(inputs):
        dtype = inputs["q"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        names = ("q", "k", "v", "g", "beta")
        q, k, v, g, beta = (in_chunks(inputs[n].to(wide), chunk) for n in names)
        q, total = q * scale, g.cumsum(-2)
        last, between = total[..., -1:, :], decays(total)
        system = (beta * (k @ k.mT) * between).tril(-1)  # the unit diagonal is implied
        known = beta * torch.cat([v, k * total.exp()], -1)
        solved = torch.linalg.solve_triangular(system, known, upper=False, unitriangular=True)
        values, keys = solved.split([v.shape[-1], k.shape[-1]], -1)
        scores, queries = q @ k.mT * between, q * total.exp()
        to_state, kept = (k * (last - total).exp()).mT, last.exp()
        state, outs = v.new_zeros(*k.shape[:2], k.shape[-1], v.shape[-1]), []
        for n in range(k.shape[2]):
            u = values[:, :, n] - keys[:, :, n] @ state
            outs.append(scores[:, :, n] @ u + queries[:, :, n] @ state)
            state = state * kept[:, :, n] + to_state[:, :, n] @ u
        return torch.cat(outs, 2)[:, :, : problem.seq_q].to(dtype)

    return attention
