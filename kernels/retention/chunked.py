"""Retention in chunks: decayed scores inside a chunk, a state from chunk to chunk.

    out = (Q·Kᵀ∘D)·V + (q·γ^(i+1))·S    S = γ^C·S + (k·γ^(C−1−j))ᵀV    D[i, j] = γ^(i−j)

Sun et al. 2023 (arXiv 2307.08621), §2.3: the chunkwise form. Shapes: q, k [B, H, S, Dqk],
v [B, H, S, Dv] → out [B, H, S, Dv]. Decays are constants of a head, made in ``build``. Option
``chunk``: tokens of a chunk.
"""

import torch
from torch.nn import functional as F

LAYOUT = "BHSD"


def in_chunks(x, chunk):
    """[B, H, S, D] → [B, H, chunks, chunk, D], with rows of zeros after the last token."""
    x = F.pad(x, (0, 0, 0, -x.shape[2] % chunk))
    return x.unflatten(2, (-1, chunk))


def log_gamma(heads, device):
    """Logarithm of each head's decay, fp64 [H, 1, 1]: γ = 1 − 2^(−5−h)."""
    h = torch.arange(heads, device=device, dtype=torch.float64)
    return torch.log1p(-torch.exp2(-5 - h)).view(-1, 1, 1)


def build(problem, device, options):
    """A differentiable function from q, k, v to out."""
    chunk, scale = min(options["chunk"], problem.seq_q), problem.effective_scale
    log = log_gamma(problem.heads_q, device)
    at = torch.arange(chunk, device=device, dtype=torch.float64)[:, None]
    inside64 = (log * (at - at.T)).exp().tril().unsqueeze(1)
    ahead64 = (log * (at + 1)).exp().unsqueeze(1)
    behind64 = (log * (chunk - 1 - at)).exp().unsqueeze(1)
    whole64 = (log * chunk).exp()

    def attention(inputs):
        dtype = inputs["q"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        q, k, v = (in_chunks(inputs[n].to(wide), chunk) for n in ("q", "k", "v"))
        inside, ahead, behind, whole = (d.to(wide) for d in (inside64, ahead64, behind64, whole64))
        q = q * scale
        added = (k * behind).mT @ v
        state, before = torch.zeros_like(added[:, :, 0]), []
        for n in range(added.shape[2]):
            before.append(state)
            state = state * whole + added[:, :, n]
        out = (q @ k.mT * inside) @ v + (q * ahead) @ torch.stack(before, 2)
        return out.flatten(2, 3)[:, :, : problem.seq_q].to(dtype)

    return attention
