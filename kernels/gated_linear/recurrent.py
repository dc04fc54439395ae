"""Gated linear attention one token after the other: a state that decays channel by channel.

    S = diag(e^g)·S + k·vᵀ    out = scale·qᵀS

Yang et al. 2023 (arXiv 2312.06635), §4. Shapes: q, k, g [B, H, S, Dqk], v [B, H, S, Dv] →
out [B, H, S, Dv].
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
        q, k, v, g = (inputs[n].to(wide) for n in ("q", "k", "v", "g"))
        q = q * problem.effective_scale
        state = q.new_zeros(problem.batch, problem.heads_q, *dims)
        outs = []
        for t in range(tokens):
            state = state * g[:, :, t, :, None].exp() + k[:, :, t, :, None] * v[:, :, t, None, :]
            outs.append(q[:, :, t, None] @ state)
        return torch.cat(outs, 2).to(dtype)

    return attention
