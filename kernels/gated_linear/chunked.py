"""Gated linear attention in chunks: pairs of tokens inside a chunk, a state from chunk to chunk.

    out = A·V + (q·e^G)·S    S = diag(e^G_last)·S + (k·e^(G_last−G))ᵀV    G = g summed in the chunk

Yang et al. 2023 (arXiv 2312.06635), §4.2 and 4.3. Shapes: q, k, g [B, H, S, Dqk],
v [B, H, S, Dv] → out [B, H, S, Dv]. Option ``chunk``: tokens of a chunk; inside one every pair
costs Dqk numbers of memory, as the decays differ by channel.
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
    """A differentiable function from q, k, v, g to out."""
    chunk, scale = min(options["chunk"], problem.seq_q), problem.effective_scale

    def attention(inputs):
        dtype = inputs["q"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        q, k, v, g = (in_chunks(inputs[n].to(wide), chunk) for n in ("q", "k", "v", "g"))
        q, total = q * scale, g.cumsum(-2)
        last = total[..., -1:, :]
        inside = pairs(q, k, total, total, 0) @ v
        added = (k * (last - total).exp()).mT @ v
        kept = last.exp().mT
        state, before = torch.zeros_like(added[:, :, 0]), []
        for n in range(added.shape[2]):
            before.append(state)
            state = state * kept[:, :, n] + added[:, :, n]
        out = inside + (q * total.exp()) @ torch.stack(before, 2)
        return out.flatten(2, 3)[:, :, : problem.seq_q].to(dtype)

    return attention
