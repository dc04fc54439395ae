"""A decode step by torch's scaled_dot_product_attention, held to one backend: option ``backend``.

    MATH                 matmul-softmax-matmul, in fp32 for 16-bit inputs
    FLASH_ATTENTION      FlashAttention-2 (arXiv 2307.08691); on a CPU a tiled kernel of torch's own
    EFFICIENT_ATTENTION  memory-efficient attention (arXiv 2112.05682)
    CUDNN_ATTENTION      cuDNN's fused attention

Shapes: q [B, Hq, Sq, Dqk], k_cache [B, Hkv, Sk, Dqk], v_cache [B, Hkv, Sk, Dv] → out
[B, Hq, Sq, Dv]. One new token sees its whole context, so it needs no mask. Several tokens and
uneven contexts are told by a boolean mask; a backend that takes none refuses them.
"""

import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right

LAYOUT = "BHSD"


def mask_form(problem, device, backend):
    """How the backend is told the mask: none, lower_right, tensor; None: it can't be told."""
    uneven = min(problem.lengths_k) < problem.seq_k
    alone = problem.seq_q == 1 and problem.window_left is None
    if not uneven and (alone or not problem.causal):
        return "none"
    on_cpu = torch.device(device).type == "cpu"
    if backend == "MATH" or (backend == "FLASH_ATTENTION" and on_cpu):
        return "tensor"
    if backend == "FLASH_ATTENTION" and not uneven and problem.window_left is None:
        return "lower_right"
    return "tensor" if backend == "EFFICIENT_ATTENTION" else None


def seen_pairs(problem, device):
    """Boolean [B, 1, Sq, Sk]: new token i, at p = i + length − Sq, sees token j."""
    lengths = torch.tensor(problem.lengths_k, device=device).view(-1, 1, 1)
    p = torch.arange(problem.seq_q, device=device)[:, None] + lengths - problem.seq_q
    j = torch.arange(problem.seq_k, device=device)
    seen = (j < lengths).expand(-1, problem.seq_q, -1).clone()
    if problem.causal:
        seen &= j <= p
    if problem.window_left is not None:
        seen &= j >= p - problem.window_left
    return seen[:, None]


def supports(problem, device, options):
    """Why this backend can't take the problem on this device, or None."""
    backend = options["backend"]
    if mask_form(problem, device, backend) is None:
        return f"{backend} takes no mask, so neither uneven contexts nor windows"
    if backend == "EFFICIENT_ATTENTION" and min(problem.lengths_k) < problem.seq_q:
        return "EFFICIENT_ATTENTION is wrong for queries that see no key"
    return None


def build(problem, device, options):
    """A function from q and the cache to out; it raises where the backend can't."""
    backend = getattr(SDPBackend, options["backend"])
    form = mask_form(problem, device, options["backend"])
    more = {"scale": problem.effective_scale, "enable_gqa": problem.group != 1}
    if form == "lower_right":
        more["attn_mask"] = causal_lower_right(problem.seq_q, problem.seq_k)
    elif form == "tensor":
        more["attn_mask"] = seen_pairs(problem, device)

    def decode(inputs):
        q, k, v = inputs["q"], inputs["k_cache"], inputs["v_cache"]
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, **more)

    return decode
