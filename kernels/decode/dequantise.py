"""A quantised KV cache dequantised whole, then plain attention: the memory saved, not the traffic.

    k = k_cache·k_scale    v = v_cache·v_scale    out = softmax(scale·q·kᵀ + mask)·v

One scale a key/value head, symmetric (int8 or fp8 e4m3), as engines keep them for a KV cache
(KV quantisation: arXiv 2402.02750). Shapes: q [B, Hq, Sq, Dqk], k_cache [B, Hkv, Sk, Dqk], v_cache
[B, Hkv, Sk, Dv], k_scale and v_scale [Hkv] fp32 → out [B, Hq, Sq, Dv]. The dequantised copy is
written and read again, which a fused kernel (split_kv casts one split at a time) doesn't. A cache
that isn't quantised is taken as it is.
"""

import torch

LAYOUT = "BHSD"


def hidden_pairs(problem, device):
    """Boolean [B, 1, 1, Sq, Sk]: new token i, at p = i + length − Sq, doesn't see token j."""
    lengths = torch.tensor(problem.lengths_k, device=device).view(-1, 1, 1)
    p = torch.arange(problem.seq_q, device=device)[:, None] + lengths - problem.seq_q
    j = torch.arange(problem.seq_k, device=device)
    hidden = (j >= lengths).expand(-1, problem.seq_q, -1).clone()
    if problem.causal:
        hidden |= j > p
    if problem.window_left is not None:
        hidden |= j < p - problem.window_left
    return hidden[:, None, None]


def build(problem, device, options):
    """A function from q, the cache and its scales to out; the mask is made here, once."""
    b, hkv, group = problem.batch, problem.heads_kv, problem.group
    sq, sk = problem.seq_q, problem.seq_k
    scale, cap = problem.effective_scale, problem.softcap
    hidden = hidden_pairs(problem, device)
    blind = hidden.all(-1, keepdim=True)
    hidden &= ~blind  # softmax over nothing is nan: such rows see everything, and are zeroed

    def dequantised(inputs, name, dtype):
        """[B, Hkv, Sk, dim] in ``dtype``, which holds int8 and e4m3 exactly."""
        cache = inputs[f"{name}_cache"]
        if f"{name}_scale" not in inputs:
            return cache
        return cache.to(dtype) * inputs[f"{name}_scale"].to(dtype).view(-1, 1, 1)

    def decode(inputs):
        q = inputs["q"]
        k, v = dequantised(inputs, "k", q.dtype), dequantised(inputs, "v", q.dtype)
        scores = q.reshape(b, hkv, group * sq, -1) @ k.transpose(-1, -2) * scale
        if cap:
            scores = torch.tanh(scores / cap) * cap
        scores = scores.view(b, hkv, group, sq, sk).masked_fill(hidden, -torch.inf)
        wide = torch.promote_types(scores.dtype, torch.float32)
        weights = torch.softmax(scores, dim=-1, dtype=wide).to(v.dtype)
        out = (weights.view(b, hkv, group * sq, sk) @ v).view(b, hkv, group, sq, -1)
        return out.masked_fill(blind, 0).reshape(b, hkv * group, sq, -1)

    return decode
