"""Absorbed multi-head latent attention by torch's scaled_dot_product_attention, one backend.

The latent cache is key and value of one head that all query heads share (MQA; DeepSeek-V2, arXiv
2405.04434, §2.1.2). Shapes: q [B, H, Sq, Dqk], kv_cache [B, 1, Sk, Dqk] → out [B, H, Sq, Dv], Dv of
the Dqk elements being the latent. Option ``backend`` names the backend, and no other is used.
Option ``whole``: the values are the whole entry and the output is cut to Dv, for backends with one
head dim: Dqk / Dv times the work on values, and no copy.
"""

import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

LAYOUT = "BHSD"


def seen_pairs(problem, device):
    """Boolean [B, 1, Sq, Sk]: new token i, at p = i + length − Sq, sees token j; None: all."""
    lengths = torch.tensor(problem.lengths_k, device=device).view(-1, 1, 1)
    p = torch.arange(problem.seq_q, device=device)[:, None] + lengths - problem.seq_q
    j = torch.arange(problem.seq_k, device=device)
    seen = (j < lengths).expand(-1, problem.seq_q, -1).clone()
    if problem.causal:
        seen &= j <= p
    return None if bool(seen.all()) else seen[:, None]


def build(problem, device, options):
    """A function from q and the latent cache to out; the mask is made here, once."""
    backend = getattr(SDPBackend, options["backend"])
    dim, whole = problem.head_dim_v, options["whole"]
    more = {
        "scale": problem.effective_scale,
        "attn_mask": seen_pairs(problem, device),
        "enable_gqa": problem.heads_q != 1,
    }

    def decode(inputs):
        c = inputs["kv_cache"]
        with sdpa_kernel(backend):
            out = F.scaled_dot_product_attention(
                inputs["q"], c, c if whole else c[..., :dim], **more
            )
        return out[..., :dim] if whole else out

    return decode
