"""RWKV-7 one token after the other: a decaying state, and a delta rule of two vectors.

    S = diag(e^w)·S + b·(aᵀS) + k·vᵀ    out = rᵀS

Peng et al. 2025 (arXiv 2503.14456), §4. Shapes: r, w, k, v, a, b [B, H, S, D] → out [B, H, S, D].
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
        r, w, k, v, a, b = (inputs[n].to(wide) for n in ("r", "w", "k", "v", "a", "b"))
        state = r.new_zeros(problem.batch, problem.heads_q, *dims)
        outs = []
        for t in range(tokens):
            held = a[:, :, t, None] @ state
            state = state * w[:, :, t, :, None].exp()
            state = state + b[:, :, t, :, None] * held + k[:, :, t, :, None] * v[:, :, t, None, :]
            outs.append(r[:, :, t, None] @ state)
        return torch.cat(outs, 2).to(dtype)

    return attention
