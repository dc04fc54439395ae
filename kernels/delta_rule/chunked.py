"""The delta rule in chunks: what each token adds solves a triangular system (the UT transform).

    (I + tril(β·K·Kᵀ, −1))·u = β·(V − K·S)    out = tril(Q·Kᵀ)·u + Q·S    S = S + Kᵀu

Yang et al. 2024 (arXiv 2406.06484), §3. Shapes: q, k [B, H, S, Dqk], v [B, H, S, Dv],
beta [B, H, S, 1] → out [B, H, S, Dv]. The systems of all chunks are solved at once, for V and for
K·S apart; only the state goes from chunk to chunk. Option ``chunk``: tokens of a chunk.
"""

import torch
from torch.nn import functional as F

LAYOUT = "BHSD"


def in_chunks(x, chunk):
    """[B, H, S, D] → [B, H, chunks, chunk, D], with rows of zeros after the last token."""
    x = F.pad(x, (0, 0, 0, -x.shape[2] % chunk))
    return x.unflatten(2, (-1, chunk))


def build(problem, device, options):
    """A differentiable function from q, k, v, beta to out."""
    chunk, scale = min(options["chunk"], problem.seq_q), problem.effective_scale

    def attention(inputs):
        dtype = inputs["q"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        q, k, v, beta = (in_chunks(inputs[n].to(wide), chunk) for n in ("q", "k", "v", "beta"))
        q = q * scale
        system = (beta * (k @ k.mT)).tril(-1)  # the unit diagonal is implied
        known = beta * torch.cat([v, k], -1)
        solved = torch.linalg.solve_triangular(system, known, upper=False, unitriangular=True)
        values, keys = solved.split([v.shape[-1], k.shape[-1]], -1)
        scores = (q @ k.mT).tril()
        state, outs = v.new_zeros(*k.shape[:2], k.shape[-1], v.shape[-1]), []
        for n in range(k.shape[2]):
            u = values[:, :, n] - keys[:, :, n] @ state
            outs.append(scores[:, :, n] @ u + q[:, :, n] @ state)
            state = state + k[:, :, n].mT @ u
        return torch.cat(outs, 2)[:, :, : problem.seq_q].to(dtype)

    return attention
