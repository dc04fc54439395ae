"""Mamba-2's state-space duality: the quadratic form inside chunks, the recurrence between them.

    out = (L∘C·Bᵀ)·X + (c·e^G)·S    S = e^G_last·S + (b·e^(G_last−G))ᵀX    G = a summed in the chunk

Dao and Gu 2024 (arXiv 2405.21060), §6; mamba_ssm/modules/ssd_minimal.py. Shapes: x [B, H, S, P],
a [B, H, S, 1], b and c [B, G, S, N] → out [B, H, S, P]. C·Bᵀ is computed once a group and shared by
its heads. Option ``chunk``: tokens of a chunk.
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
    """A differentiable function from x, a, b, c to out."""
    chunk, group = min(options["chunk"], problem.seq_q), problem.group

    def attention(inputs):
        dtype = inputs["x"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        x, a, b, c = (in_chunks(inputs[n].to(wide), chunk) for n in ("x", "a", "b", "c"))
        total = a.cumsum(-2)
        last = total[..., -1:, :]
        scores = (c @ b.mT).repeat_interleave(group, 1)
        b, c = (y.repeat_interleave(group, 1) for y in (b, c))
        inside = (decays(total) * scores) @ x
        added = b.mT @ (x * (last - total).exp())
        state, before = torch.zeros_like(added[:, :, 0]), []
        for n in range(added.shape[2]):
            before.append(state)
            state = state * last[:, :, n].exp() + added[:, :, n]
        out = inside + (c @ torch.stack(before, 2)) * total.exp()
        return out.flatten(2, 3)[:, :, : problem.seq_q].to(dtype)

    return attention
