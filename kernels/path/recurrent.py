"""PaTH attention one token after the other, as it decodes: each step turns all cached keys.

    K = K·H_t for all keys before t    out_t = softmax(scale·q_t·Kᵀ)·V    H_t = I − β_t·w_t·w_tᵀ

Yang et al. 2025 (arXiv 2505.16381), §3. Shapes: q, k, w [B, H, S, Dqk], v [B, H, S, Dv],
beta [B, H, S, 1] → out [B, H, S, Dv]. Computed in at least fp32. Every token reads and writes the
whole cache of keys, so a backward pass keeps S of them.
"""

import torch

LAYOUT = "BHSD"


def build(problem, device, options):
    """A differentiable function from q, k, v, w, beta to out."""
    tokens, scale = problem.seq_q, problem.effective_scale

    def attention(inputs):
        dtype = inputs["q"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        q, k, v, w, beta = (inputs[n].to(wide) for n in ("q", "k", "v", "w", "beta"))
        q = q * scale
        cache, outs = k[:, :, :0], []
        for t in range(tokens):
            row = w[:, :, t, None]
            cache = cache - beta[:, :, t, None] * (cache @ row.mT) * row
            cache = torch.cat([cache, k[:, :, t, None]], 2)
            weights = (q[:, :, t, None] @ cache.mT).softmax(-1)
            outs.append(weights @ v[:, :, : t + 1])
        return torch.cat(outs, 2).to(dtype)

    return attention
