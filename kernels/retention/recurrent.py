"""Retention one token after the other: the recurrent form of RetNet, a fixed decay a head.

    S = γ·S + k·vᵀ    out = scale·qᵀS    γ = 1 − 2^(−5−h)

Sun et al. 2023 (arXiv 2307.08621), §2.1. Shapes: q, k [B, H, S, Dqk], v [B, H, S, Dv] →
out [B, H, S, Dv].
The state is kept in at least fp32. Every token launches a few operations, so long sequences pay for
launches, and a backward pass keeps every state.
"""

import torch

LAYOUT = "BHSD"


def build(problem, device, options):
    """A differentiable function from the inputs to out."""
    tokens, dims = problem.seq_q, (problem.head_dim_qk, problem.head_dim_v)
    heads = torch.arange(problem.heads_q, device=device, dtype=torch.float64)
    gamma64 = (1 - torch.exp2(-5 - heads)).view(-1, 1, 1)

    def attention(inputs):
        dtype = inputs["q"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        q, k, v = (inputs[n].to(wide) for n in ("q", "k", "v"))
        q = q * problem.effective_scale
        gamma = gamma64.to(q.dtype)
        state = q.new_zeros(problem.batch, problem.heads_q, *dims)
        outs = []
        for t in range(tokens):
            state = state * gamma + k[:, :, t, :, None] * v[:, :, t, None, :]
            outs.append(q[:, :, t, None] @ state)
        return torch.cat(outs, 2).to(dtype)

    return attention
