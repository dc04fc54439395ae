"""Retention the quadratic way: scores decayed by distance, in place of a softmax.

    out = (scale·Q·Kᵀ∘D)·V    D[i, j] = γ^(i−j) for j ≤ i    γ = 1 − 2^(−5−h)

Sun et al. 2023 (arXiv 2307.08621), §2.1: the parallel form, used in training. Shapes:
q, k [B, H, S, Dqk], v [B, H, S, Dv] → out [B, H, S, Dv]. The S × S decays of each head are made in
``build`` and kept in the computing type.
"""

import torch

LAYOUT = "BHSD"


def log_gamma(heads, device):
    """Logarithm of each head's decay, fp64 [H, 1, 1]: γ = 1 − 2^(−5−h)."""
    h = torch.arange(heads, device=device, dtype=torch.float64)
    return torch.log1p(-torch.exp2(-5 - h)).view(-1, 1, 1)


def build(problem, device, options):
    """A differentiable function from q, k, v to out."""
    scale = problem.effective_scale
    at = torch.arange(problem.seq_q, device=device, dtype=torch.float64)
    # clamped before exp: above the diagonal γ^(i−j) overflows
    decay = (log_gamma(problem.heads_q, device) * (at[:, None] - at).clamp(min=0)).exp().tril()
    decay = decay.to(torch.float64 if problem.dtype == "fp64" else torch.float32)

    def attention(inputs):
        q, k, v = (inputs[n].to(decay.dtype) for n in ("q", "k", "v"))
        return ((q * scale @ k.mT * decay) @ v).to(inputs["q"].dtype)

    return attention
