"""PaTH attention through whole matrices: the products of all steps by one triangular system.

    A = tril(Q·Kᵀ) − tril(Q·Wᵀ)·T·tril(W·Kᵀ, −1)    T = (I + tril(β·W·Wᵀ, −1))⁻¹·diag(β)
    out = softmax(scale·A)·V

Yang et al. 2025 (arXiv 2505.16381), §3: the UT transform. The products of a part of the steps need
a part of T alone, as T is lower triangular, so one inverse serves every pair. Shapes:
q, k, w [B, H, S, Dqk], v [B, H, S, Dv], beta [B, H, S, 1] → out [B, H, S, Dv]. Takes S³ operations:
for short sequences.
"""

import torch

LAYOUT = "BHSD"


def build(problem, device, options):
    """A differentiable function from q, k, v, w, beta to out."""
    tokens, scale = problem.seq_q, problem.effective_scale
    hidden = torch.ones(tokens, tokens, dtype=torch.bool, device=device).triu(1)

    def attention(inputs):
        dtype = inputs["q"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        q, k, v, w, beta = (inputs[n].to(wide) for n in ("q", "k", "v", "w", "beta"))
        q = q * scale
        system = (beta * (w @ w.mT)).tril(-1)  # the unit diagonal is implied
        met = beta * (w @ k.mT).tril(-1)
        met = torch.linalg.solve_triangular(system, met, upper=False, unitriangular=True)
        scores = q @ k.mT - (q @ w.mT).tril() @ met
        return (scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v).to(dtype)

    return attention
