"""Mamba-2's state-space model one token after the other, as it decodes.

    S = e^a·S + b·xᵀ    out = cᵀS

Dao and Gu 2024 (arXiv 2405.21060). Shapes: x [B, H, S, P], a [B, H, S, 1], b and c [B, G, S, N] →
out [B, H, S, P]; the H/G heads of a group share b and c.
The state is kept in at least fp32. Every token launches a few operations, so long sequences pay for
launches, and a backward pass keeps every state.
"""

import torch

LAYOUT = "BHSD"


def build(problem, device, options):
    """A differentiable function from the inputs to out."""
    tokens, dims = problem.seq_q, (problem.head_dim_qk, problem.head_dim_v)
    group = problem.group

    def attention(inputs):
        dtype = inputs["x"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        x, a, b, c = (inputs[n].to(wide) for n in ("x", "a", "b", "c"))
        b, c = (y.repeat_interleave(group, 1) for y in (b, c))
        state = x.new_zeros(problem.batch, problem.heads_q, *dims)
        outs = []
        for t in range(tokens):
            state = state * a[:, :, t, None].exp() + b[:, :, t, :, None] * x[:, :, t, None, :]
            outs.append(c[:, :, t, None] @ state)
        return torch.cat(outs, 2).to(dtype)

    return attention
