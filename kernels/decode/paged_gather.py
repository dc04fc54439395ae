"""A paged cache gathered into a contiguous copy, then plain attention: what paging costs naively.

PagedAttention (arXiv 2309.06180, §4) reads the pages where they lie; without such a kernel the
pages are copied together first, and the copy is written and read once more than needed. Shapes: q
[B, Hq, Sq, Dqk], k_cache [pages, Hkv, page, Dqk], v_cache [pages, Hkv, page, Dv], page_table
[B, Sk / page] → out [B, Hq, Sq, Dv].
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
    """A function from q, the paged cache and its table to out; the mask is made here, once."""
    b, hkv, group = problem.batch, problem.heads_kv, problem.group
    sq, sk = problem.seq_q, problem.seq_k
    scale, cap = problem.effective_scale, problem.softcap
    hidden = hidden_pairs(problem, device)
    blind = hidden.all(-1, keepdim=True)
    hidden &= ~blind  # softmax over nothing is nan: such rows see everything, and are zeroed

    def contiguous(cache, table):
        """[B, Hkv, Sk, dim] of the pages that the table names."""
        return cache[table].transpose(1, 2).reshape(b, hkv, sk, -1)

    def decode(inputs):
        k = contiguous(inputs["k_cache"], inputs["page_table"])
        v = contiguous(inputs["v_cache"], inputs["page_table"])
        scores = inputs["q"].reshape(b, hkv, group * sq, -1) @ k.transpose(-1, -2) * scale
        if cap:
            scores = torch.tanh(scores / cap) * cap
        scores = scores.view(b, hkv, group, sq, sk).masked_fill(hidden, -torch.inf)
        wide = torch.promote_types(scores.dtype, torch.float32)
        weights = torch.softmax(scores, dim=-1, dtype=wide).to(v.dtype)
        out = (weights.view(b, hkv, group * sq, sk) @ v).view(b, hkv, group, sq, -1)
        return out.masked_fill(blind, 0).reshape(b, hkv * group, sq, -1)

    return decode
