"""Linear attention the quadratic way: the whole matrix of φ(q)·φ(k), as attention has its scores.

    out = A·V / A·1    A = φ(Q)φ(K)ᵀ, lower triangle if causal    φ(x) = elu(x) + 1

Katharopoulos et al. 2020 (arXiv 2006.16236), §3.2, before the sums are reordered.
Shapes: q, k [B, H, S, Dqk], v [B, H, S, Dv] → out [B, H, S, Dv]. The same numbers at O(S²): what
the linear forms save.
"""

import torch
from torch.nn import functional as F

LAYOUT = "BHSD"


def feature(x):
    """elu(x) + 1 in at least fp32."""
    return F.elu(x.to(torch.promote_types(x.dtype, torch.float32))) + 1


def build(problem, device, options):
    """A differentiable function from q, k, v to out."""
    causal = problem.causal

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        weights = feature(q) @ feature(k).transpose(-1, -2)
        if causal:
            weights = torch.tril(weights)
        out = weights @ v.to(weights.dtype) / weights.sum(-1, keepdim=True)
        return out.to(q.dtype)

    return attention
