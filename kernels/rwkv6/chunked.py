"""RWKV-6 in chunks: pairs of tokens inside a chunk, a state from chunk to chunk.

    out = A·V + (r·(u∘k))·v + (r·e^(G−w))·S    S = diag(e^G_last)·S + (k·e^(G_last−G))ᵀV

with G = w summed in the chunk. Peng et al. 2024 (arXiv 2404.05892), §4.2; chunked as gated linear
attention (arXiv 2312.06635). Shapes: r, k, v, w [B, H, S, D], u [H, D] → out [B, H, S, D]. Option
``chunk``: tokens of a chunk; inside one every pair costs D numbers of memory.
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
    """A differentiable function from r, k, v, w, u to out."""
    chunk = min(options["chunk"], problem.seq_q)

    def attention(inputs):
        dtype = inputs["r"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        r, k, v, w = (in_chunks(inputs[n].to(wide), chunk) for n in ("r", "k", "v", "w"))
        bonus = inputs["u"].to(wide)[:, None, None]
        total = w.cumsum(-2)
        last, before_token = total[..., -1:, :], total - w
        inside = pairs(r, k, before_token, total, -1) @ v
        inside = inside + (r * bonus * k).sum(-1, keepdim=True) * v
        added = (k * (last - total).exp()).mT @ v
        kept = last.exp().mT
        state, before = torch.zeros_like(added[:, :, 0]), []
        for n in range(added.shape[2]):
            before.append(state)
            state = state * kept[:, :, n] + added[:, :, n]
        out = inside + (r * before_token.exp()) @ torch.stack(before, 2)
        return out.flatten(2, 3)[:, :, : problem.seq_q].to(dtype)

    return attention
