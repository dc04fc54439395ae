"""Linear attention in chunks: a small causal matrix inside each, a state between them.

    out = (tril(φ(Q)φ(K)ᵀ)·V + φ(Q)·S) / normaliser    S += φ(K)ᵀV    φ(x) = elu(x) + 1

Katharopoulos et al. 2020 (arXiv 2006.16236); the chunked form as in Hua et al. 2022
(arXiv 2202.10447, §3). Shapes: q, k [B, H, S, Dqk], v [B, H, S, Dv] → out [B, H, S, Dv]. Work is
linear in S and all of it matrix products: option ``chunk`` tokens at a time. Without a mask there
is one state, of all keys. A column of ones beside v carries the normaliser.
"""

import torch
from torch.nn import functional as F

LAYOUT = "BHSD"


def in_chunks(x, chunk):
    """[B, H, S, D] → [B, H, chunks, chunk, D], with rows of zeros after the last token."""
    x = F.pad(x, (0, 0, 0, -x.shape[2] % chunk))
    return x.unflatten(2, (-1, chunk))


def build(problem, device, options):
    """A differentiable function from q, k, v to out."""
    chunk, tokens = min(options["chunk"], problem.seq_k), problem.seq_q

    def causal(q, k, v):
        q, k, v = (in_chunks(x, chunk) for x in (q, k, v))
        added = k.transpose(-1, -2) @ v
        before = added.cumsum(2) - added  # the state that a chunk starts from
        inside = torch.tril(q @ k.transpose(-1, -2)) @ v
        return (inside + q @ before).flatten(2, 3)[:, :, :tokens]

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        wide = torch.promote_types(q.dtype, torch.float32)
        fq, fk = F.elu(q.to(wide)) + 1, F.elu(k.to(wide)) + 1
        fv = F.pad(v.to(wide), (0, 1), value=1.0)
        out = causal(fq, fk, fv) if problem.causal else fq @ (fk.transpose(-1, -2) @ fv)
        return (out[..., :-1] / out[..., -1:]).to(q.dtype)

    return attention
