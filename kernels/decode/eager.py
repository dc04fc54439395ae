"""A decode step in plain torch: matmul, softmax, matmul over a contiguous KV cache.

    out = softmax(scale·q·kᵀ + mask)·v      Vaswani et al. 2017 (arXiv 1706.03762), §3.2.1

Shapes: q [B, Hq, Sq, Dqk], k_cache [B, Hkv, Sk, Dqk], v_cache [B, Hkv, Sk, Dv] → out
[B, Hq, Sq, Dv]. The query heads that share a key/value head stand below one another in one matrix
(arXiv 2305.13245), so the cache is read once and not repeated. It reads the padding of shorter
contexts too, and hides it.
"""

import torch

LAYOUT = "BHSD"


def hidden_pairs(problem, device):
    """Boolean [B, 1, 1, Sq, Sk]: new token i, at p = i + length − Sq, doesn't see token j.

    None where every token sees all.
    """
    lengths = torch.tensor(problem.lengths_k, device=device).view(-1, 1, 1)
    p = torch.arange(problem.seq_q, device=device)[:, None] + lengths - problem.seq_q
    j = torch.arange(problem.seq_k, device=device)
    hidden = (j >= lengths).expand(-1, problem.seq_q, -1).clone()
    if problem.causal:
        hidden |= j > p
    if problem.window_left is not None:
        hidden |= j < p - problem.window_left
    return hidden[:, None, None] if bool(hidden.any()) else None


def build(problem, device, options):
    """A function from q and the cache to out; the mask is made here, once."""
    b, hkv, group = problem.batch, problem.heads_kv, problem.group
    sq, sk = problem.seq_q, problem.seq_k
    scale, cap = problem.effective_scale, problem.softcap
    hidden = hidden_pairs(problem, device)
    blind = None
    if hidden is not None and bool(hidden.all(-1).any()):
        # softmax over nothing is nan: let such rows see everything, and zero them at the end
        blind = hidden.all(-1, keepdim=True)
        hidden &= ~blind

    def decode(inputs):
        q, k, v = inputs["q"], inputs["k_cache"], inputs["v_cache"]
        scores = q.reshape(b, hkv, group * sq, -1) @ k.transpose(-1, -2) * scale
        if cap:
            scores = torch.tanh(scores / cap) * cap
        scores = scores.view(b, hkv, group, sq, sk)
        if hidden is not None:
            scores = scores.masked_fill(hidden, -torch.inf)
        wide = torch.promote_types(scores.dtype, torch.float32)
        weights = torch.softmax(scores, dim=-1, dtype=wide).to(v.dtype)
        out = (weights.view(b, hkv, group * sq, sk) @ v).view(b, hkv, group, sq, -1)
        if blind is not None:
            out = out.masked_fill(blind, 0)
        return out.reshape(b, hkv * group, sq, -1)

    return decode
