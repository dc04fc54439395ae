"""The delta rule one token after the other: what the state holds for a key is replaced.

    S = S + β·k·(v − Sᵀk)ᵀ    out = scale·qᵀS

Yang et al. 2024 (arXiv 2406.06484), §2.2. Shapes: q, k [B, H, S, Dqk], v [B, H, S, Dv],
beta [B, H, S, 1] → out [B, H, S, Dv].
The state is kept in at least fp32. Every token launches a few operations, so long sequences pay for
launches, and a backward pass keeps every state.
"""

import torch

LAYOUT = "BHSD"


def build(problem, device, options):
    """A differentiable function from the inputs to out."""
    tokens, dims = problem.seq_q, (problem.head_dim_qk, problem.head_dim_v)

    def attention(inputs):
        dtype = inputs["q"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        q, k, v, beta = (inputs[n].to(wide) for n in ("q", "k", "v", "beta"))
        q = q * problem.effective_scale
        state = q.new_zeros(problem.batch, problem.heads_q, *dims)
        outs = []
        for t in range(tokens):
            key = k[:, :, t, None]
            change = beta[:, :, t, None] * (v[:, :, t, None] - key @ state)
            state = state + key.mT * change
            outs.append(q[:, :, t, None] @ state)
        return torch.cat(outs, 2).to(dtype)

    return attention
