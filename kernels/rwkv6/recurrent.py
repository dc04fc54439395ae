"""RWKV-6 one token after the other: the token itself is read with a bonus before it is stored.

    out = rᵀ(S + diag(u)·k·vᵀ)    S = diag(e^w)·S + k·vᵀ

Peng et al. 2024 (arXiv 2404.05892), §4.2. Shapes: r, k, v, w [B, H, S, D], u [H, D] →
out [B, H, S, D].
The state is kept in at least fp32. Every token launches a few operations, so long sequences pay for
launches, and a backward pass keeps every state.
"""

import torch

LAYOUT = "BHSD"


def build(problem, device, options):
    """A differentiable function from the inputs to out."""
    tokens, dims = problem.seq_q, (problem.head_dim_qk, problem.head_dim_v)

    def attention(inputs):
        dtype = inputs["r"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        r, k, v, w, u = (inputs[n].to(wide) for n in ("r", "k", "v", "w", "u"))
        state = r.new_zeros(problem.batch, problem.heads_q, *dims)
        outs = []
        for t in range(tokens):
            kv = k[:, :, t, :, None] * v[:, :, t, None, :]
            outs.append(r[:, :, t, None] @ (state + u[..., None] * kv))
            state = state * w[:, :, t, :, None].exp() + kv
        return torch.cat(outs, 2).to(dtype)

    return attention
