"""Attention in plain torch operations: matmul, softmax, matmul. What every fused kernel replaces.

    out = softmax(scale·q·kᵀ + mask)·v        Vaswani et al. 2017 (arXiv 1706.03762), §3.2.1

Shapes: q [B, Hq, Sq, Dqk], k [B, Hkv, Sk, Dqk], v [B, Hkv, Sk, Dv] → out [B, Hq, Sq, Dv]. The
Sq × Sk scores go to memory and back several times, which is what FlashAttention saves
(arXiv 2205.14135, §3). Grouped heads are a view: the query heads that share a key/value head stand
below one another in one matrix. Option ``softmax``: ``fp32`` (what model code does: at least fp32,
then back) or ``native`` (in the inputs' own type: less memory traffic, larger errors).
"""

import torch

LAYOUT = "BHSD"


def hidden_pairs(problem, device):
    """Boolean [Sq, Sk]: query i, at p = i + Sk − Sq, doesn't see key j. None: it sees all."""
    if problem.mask == "full":
        return None
    p = torch.arange(problem.seq_q, device=device)[:, None] + (problem.seq_k - problem.seq_q)
    j = torch.arange(problem.seq_k, device=device)[None, :]
    hidden = torch.zeros(problem.seq_q, problem.seq_k, dtype=torch.bool, device=device)
    if problem.causal:
        hidden |= j > p
    if problem.window_left is not None:
        hidden |= j < p - problem.window_left
    if problem.window_right is not None:
        hidden |= j > p + problem.window_right
    return hidden


def build(problem, device, options):
    """A differentiable function from q, k, v to out; the mask is made here, once."""
    b, hkv, group = problem.batch, problem.heads_kv, problem.group
    sq, sk = problem.seq_q, problem.seq_k
    scale, cap = problem.effective_scale, problem.softcap
    in_fp32 = options["softmax"] == "fp32"
    hidden = hidden_pairs(problem, device)
    blind = None
    if hidden is not None and bool(hidden.all(-1).any()):
        # softmax over nothing is nan: let such rows see everything, and zero them at the end
        blind = hidden.all(-1, keepdim=True)
        hidden &= ~blind

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        scores = q.reshape(b, hkv, group * sq, -1) @ k.transpose(-1, -2) * scale
        if cap:
            scores = torch.tanh(scores / cap) * cap
        if hidden is not None:
            scores = scores.view(b, hkv, group, sq, sk).masked_fill(hidden, -torch.inf)
            scores = scores.view(b, hkv, group * sq, sk)
        wide = torch.promote_types(scores.dtype, torch.float32) if in_fp32 else scores.dtype
        weights = torch.softmax(scores, dim=-1, dtype=wide).to(v.dtype)
        out = (weights @ v).view(b, hkv * group, sq, -1)
        return out if blind is None else out.masked_fill(blind, 0)

    return attention
