"""Naive multi-head latent attention: keys and values of every head, expanded from the latent.

    q, k = [nope, rope]    out = softmax(scale·q·kᵀ + mask)·v    DeepSeek-V2 (arXiv 2405.04434)

Shapes: q, k [B, H, S, nope + rope], v [B, H, Sk, Dv] → out [B, H, Sq, Dv]; in DeepSeek-V3 128 + 64
and 128 (arXiv 2412.19437). The form for prefill, where expanding costs less than the wider dot
products of the absorbed one. Option ``backend``: ``eager`` is matmul, softmax, matmul; else a
backend of torch's scaled_dot_product_attention, and no other. Option ``pad``: values are padded
with zeros to the keys' head dim, for backends that have one head dim only; the copy is timed.
"""

import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right

LAYOUT = "BHSD"


def mask_form(problem, device, backend):
    """How SDPA is told the mask: none, is_causal, lower_right, tensor; None: it can't be told."""
    if problem.mask == "full":
        return "none"
    if problem.seq_q == problem.seq_k:
        return "is_causal"
    if backend == "MATH" or torch.device(device).type == "cpu":
        return "tensor"
    return "lower_right" if backend == "FLASH_ATTENTION" else None


def seen_pairs(problem, device):
    """Boolean [Sq, Sk]: query i, at p = i + Sk − Sq, sees key j ≤ p."""
    p = torch.arange(problem.seq_q, device=device)[:, None] + (problem.seq_k - problem.seq_q)
    return torch.arange(problem.seq_k, device=device)[None, :] <= p


def supports(problem, device, options):
    """Why the backend can't be told the mask, or None."""
    backend = options["backend"]
    if backend != "eager" and mask_form(problem, device, backend) is None:
        return f"{backend} has no bottom-right causal mask for Sq ≠ Sk"
    return None


def build(problem, device, options):
    """A differentiable function from q, k, v to out."""
    if options["backend"] == "eager":
        return eager(problem, device)
    return fused(problem, device, options)


def eager(problem, device):
    """Matmul, softmax in at least fp32, matmul."""
    scale, seen, blind = problem.effective_scale, None, None
    if problem.causal:
        seen = seen_pairs(problem, device)
        blind = ~seen.any(-1, keepdim=True)
        seen |= blind  # softmax over nothing is nan: such rows see everything, and are zeroed

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        scores = q @ k.transpose(-1, -2) * scale
        if seen is not None:
            scores = scores.masked_fill(~seen, -torch.inf)
        wide = torch.promote_types(scores.dtype, torch.float32)
        out = torch.softmax(scores, dim=-1, dtype=wide).to(v.dtype) @ v
        return out if blind is None else out.masked_fill(blind, 0)

    return attention


def fused(problem, device, options):
    """SDPA in one backend; values padded where it needs equal head dims."""
    backend = getattr(SDPBackend, options["backend"])
    form = mask_form(problem, device, options["backend"])
    more = {"scale": problem.effective_scale}
    if form == "is_causal":
        more["is_causal"] = True
    elif form == "lower_right":
        more["attn_mask"] = causal_lower_right(problem.seq_q, problem.seq_k)
    elif form == "tensor":
        more["attn_mask"] = seen_pairs(problem, device)
    dim = problem.head_dim_v
    extra = problem.head_dim_qk - dim if options["pad"] else 0

    def attention(inputs):
        v = F.pad(inputs["v"], (0, extra)) if extra else inputs["v"]
        with sdpa_kernel(backend):
            out = F.scaled_dot_product_attention(inputs["q"], inputs["k"], v, **more)
        return out[..., :dim] if extra else out

    return attention
