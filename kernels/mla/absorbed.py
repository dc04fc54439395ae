"""Absorbed multi-head latent attention: all heads attend to one latent a token, which is the cache.

    q = [q_nope·W_UK, q_rope]    s = scale·q·cᵀ    out = softmax(s)·c[:Dv]     (then W_UV, outside)

DeepSeek-V2 (arXiv 2405.04434), §2.1.2 and appendix C: since q·(W_UK·c) = (q·W_UK)·c the keys are
never expanded. Shapes: q [B, H, Sq, Dqk]; kv_cache [B, 1, Sk, Dqk], or paged [pages, 1, page, Dqk]
with page_table [B, Sk / page] → out [B, H, Sq, Dv]; in DeepSeek-V3 Dqk = 512 + 64, Dv = 512.
Option ``splits``: the context in at most that many parts, each attended alone and merged by
log-sum-exp (FlashAttention's merge, arXiv 2205.14135, §3.1), as FlashMLA does on a GPU; 1 attends
to the whole at once. A quantised cache is cast split by split, its scale multiplies the results.
"""

import torch

LAYOUT = "BHSD"


def split_bounds(problem, splits):
    """Token ranges of the splits, whole pages each: (start, end) ascending."""
    unit = problem.page_size or 1
    units = problem.seq_k // unit
    step = -(-units // min(splits, units)) * unit
    return [(at, min(at + step, problem.seq_k)) for at in range(0, problem.seq_k, step)]


def hidden_in(problem, start, end, device):
    """Boolean [B, 1, Sq, tokens]: new token i, at p = i + length − Sq, doesn't see token j."""
    lengths = torch.tensor(problem.lengths_k, device=device).view(-1, 1, 1)
    p = torch.arange(problem.seq_q, device=device)[:, None] + lengths - problem.seq_q
    j = torch.arange(start, end, device=device)
    hidden = (j >= lengths).expand(-1, problem.seq_q, -1).clone()
    if problem.causal:
        hidden |= j > p
    return hidden[:, None] if bool(hidden.any()) else None


def build(problem, device, options):
    """A function from q and the latent cache to out; masks are made here, once."""
    b, heads, sq, page = problem.batch, problem.heads_q, problem.seq_q, problem.page_size
    splits = []
    for start, end in split_bounds(problem, options["splits"]):
        hidden = hidden_in(problem, start, end, device)
        if hidden is None or not bool(hidden.all()):
            splits.append((start, end, hidden))

    def latents(inputs, start, end, dtype):
        """[B, end − start, Dqk] of the cache, in the type that is multiplied in."""
        cache = inputs["kv_cache"]
        if not page:
            return cache[:, 0, start:end].to(dtype)
        pages = cache[inputs["page_table"][:, start // page : end // page]]
        return pages.reshape(b, end - start, -1).to(dtype)

    def decode(inputs):
        q = inputs["q"]
        wide = torch.promote_types(q.dtype, torch.float32)
        factor = inputs["kv_scale"].to(wide) if "kv_scale" in inputs else 1.0
        rows = q.reshape(b, heads * sq, -1)
        parts, lses = [], []
        for start, end, hidden in splits:
            c = latents(inputs, start, end, q.dtype)
            scores = (rows @ c.transpose(-1, -2)).to(wide) * (factor * problem.effective_scale)
            if hidden is not None:
                scores = scores.view(b, heads, sq, -1).masked_fill(hidden, -torch.inf)
                scores = scores.view(b, heads * sq, -1)
            top = scores.amax(-1, keepdim=True).clamp(min=torch.finfo(wide).min)
            weights = torch.exp(scores - top)
            total = weights.sum(-1, keepdim=True)
            out = (weights.to(q.dtype) @ c[..., : problem.head_dim_v]).to(wide)
            parts.append(out / total.clamp(min=torch.finfo(wide).tiny))
            lses.append(top + total.log())  # −∞ where a row sees nothing of the split
        lse = torch.stack(lses)
        top = lse.amax(0).clamp(min=torch.finfo(wide).min)
        shares = torch.exp(lse - top)
        shares = shares / shares.sum(0).clamp(min=torch.finfo(wide).tiny)
        out = (shares * torch.stack(parts)).sum(0) * factor
        return out.to(q.dtype).view(b, heads, sq, -1)

    return decode
