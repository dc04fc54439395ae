"""Flash-Decoding in plain torch: the context in splits, each attended alone, merged by log-sum-exp.

    o_s = softmax(s_s)·v_s    lse_s = log Σ exp(s_s)    out = Σ_s exp(lse_s − lse)·o_s

One query token gives a GPU too few blocks to fill it; splits along the context do (T. Dao et al.,
"Flash-Decoding", 2023; the merge is FlashAttention's, arXiv 2205.14135, §3.1). Shapes: q
[B, Hq, Sq, Dqk]; k_cache [B, Hkv, Sk, Dqk] or paged [pages, Hkv, page, Dqk] with page_table
[B, Sk / page]; v_cache alike → out [B, Hq, Sq, Dv]. Of a paged cache (arXiv 2309.06180) only the
pages of one split are gathered at a time. Quantised caches are cast in each split; a head's scale
multiplies scores and outputs instead of every element. Option ``splits``: how many, at most.
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
    """Boolean [B, 1, 1, Sq, tokens]: new token i doesn't see token j of the split; or None."""
    lengths = torch.tensor(problem.lengths_k, device=device).view(-1, 1, 1)
    p = torch.arange(problem.seq_q, device=device)[:, None] + lengths - problem.seq_q
    j = torch.arange(start, end, device=device)
    hidden = (j >= lengths).expand(-1, problem.seq_q, -1).clone()
    if problem.causal:
        hidden |= j > p
    if problem.window_left is not None:
        hidden |= j < p - problem.window_left
    return hidden[:, None, None] if bool(hidden.any()) else None


def build(problem, device, options):
    """A function from q and the cache to out; splits that no token sees are left out here."""
    b, hkv, group = problem.batch, problem.heads_kv, problem.group
    sq, page, cap = problem.seq_q, problem.page_size, problem.softcap
    splits = []
    for start, end in split_bounds(problem, options["splits"]):
        hidden = hidden_in(problem, start, end, device)
        if hidden is None or not bool(hidden.all()):
            splits.append((start, end, hidden))

    def tokens(inputs, name, start, end, dtype):
        """[B, Hkv, end − start, dim] of the cache, in the type that is multiplied in."""
        cache = inputs[name]
        if not page:
            return cache[:, :, start:end].to(dtype)
        pages = cache[inputs["page_table"][:, start // page : end // page]]
        return pages.transpose(1, 2).reshape(b, hkv, end - start, -1).to(dtype)

    def decode(inputs):
        q = inputs["q"]
        wide = torch.promote_types(q.dtype, torch.float32)
        scale = problem.effective_scale
        if "k_scale" in inputs:
            scale = (inputs["k_scale"].to(wide) * scale).view(-1, 1, 1)
        rows = q.reshape(b, hkv, group * sq, -1)
        parts, lses = [], []
        for start, end, hidden in splits:
            k = tokens(inputs, "k_cache", start, end, q.dtype)
            scores = (rows @ k.transpose(-1, -2)).to(wide) * scale
            if cap:
                scores = torch.tanh(scores / cap) * cap
            if hidden is not None:
                scores = scores.view(b, hkv, group, sq, -1).masked_fill(hidden, -torch.inf)
                scores = scores.view(b, hkv, group * sq, -1)
            top = scores.amax(-1, keepdim=True).clamp(min=torch.finfo(wide).min)
            weights = torch.exp(scores - top)
            total = weights.sum(-1, keepdim=True)
            v = tokens(inputs, "v_cache", start, end, q.dtype)
            out = (weights.to(q.dtype) @ v).to(wide)
            parts.append(out / total.clamp(min=torch.finfo(wide).tiny))
            lses.append(top + total.log())  # −∞ where a row sees nothing of the split
        lse = torch.stack(lses)
        top = lse.amax(0).clamp(min=torch.finfo(wide).min)
        shares = torch.exp(lse - top)
        shares = shares / shares.sum(0).clamp(min=torch.finfo(wide).tiny)
        out = (shares * torch.stack(parts)).sum(0)
        if "v_scale" in inputs:
            out = out * inputs["v_scale"].to(wide).view(-1, 1, 1)
        return out.to(q.dtype).view(b, hkv * group, sq, -1)

    return decode
