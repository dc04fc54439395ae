"""Mamba-2 the quadratic way: the dual form, attention with decays in place of a softmax.

    out = (L∘C·Bᵀ)·X    L[i, j] = e^(a_j+1 + … + a_i) for j ≤ i

Dao and Gu 2024 (arXiv 2405.21060), §3. Shapes: x [B, H, S, P], a [B, H, S, 1], b and
c [B, G, S, N] → out [B, H, S, P]. The whole S × S matrix a head: what the linear forms save.
"""

import torch

LAYOUT = "BHSD"


def decays(total):
    """exp(total_i − total_j) for j ≤ i, 0 above, of [..., chunk, 1]; subtracted before exp."""
    span = total - total.mT
    hidden = torch.ones(span.shape[-2:], dtype=torch.bool, device=span.device).triu(1)
    return span.masked_fill(hidden, -torch.inf).exp()


def build(problem, device, options):
    """A differentiable function from x, a, b, c to out."""
    group = problem.group

    def attention(inputs):
        dtype = inputs["x"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        x, a, b, c = (inputs[n].to(wide) for n in ("x", "a", "b", "c"))
        scores = (c @ b.mT).repeat_interleave(group, 1)
        return ((scores * decays(a.cumsum(2))) @ x).to(dtype)

    return attention
