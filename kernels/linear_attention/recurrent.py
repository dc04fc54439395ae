"""Linear attention as a recurrent network: one token after the other, a state in place of a cache.

    S += φ(k)·vᵀ    z += φ(k)    out = φ(q)ᵀS / φ(q)ᵀz    φ(x) = elu(x) + 1

Katharopoulos et al. 2020 (arXiv 2006.16236), §3.4: how it decodes. Shapes: q, k [B, H, S, Dqk],
v [B, H, S, Dv] → out [B, H, S, Dv]. The state is kept in at least fp32. Every token launches a few
operations, so long sequences pay for launches, and a backward pass keeps every state.
"""

import torch
from torch.nn import functional as F

LAYOUT = "BHSD"


def build(problem, device, options):
    """A differentiable function from q, k, v to out."""
    tokens = problem.seq_k

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        wide = torch.promote_types(q.dtype, torch.float32)
        fq, fk, fv = F.elu(q.to(wide)) + 1, F.elu(k.to(wide)) + 1, v.to(wide)
        state = fv.new_zeros(*fk.shape[:2], fk.shape[-1], fv.shape[-1])
        z = torch.zeros_like(fk[:, :, 0])
        outs = []
        for t in range(tokens):
            z = z + fk[:, :, t]
            state = torch.addcmul(state, fk[:, :, t, :, None], fv[:, :, t, None, :])
            row = fq[:, :, t, None]
            outs.append(row @ state / (row @ z[..., None]))
        return torch.cat(outs, 2).to(q.dtype)

    return attention
