"""Sliding-window attention in blocks of queries, each over the strip of keys that it can see.

    block n of C queries:  scores over keys n·C − L … n·C + C − 1 + R, masked to the band

Beltagy et al. 2020 (Longformer, arXiv 2004.05150), §3.1: the sliding chunks. Time and memory are
C + L + R a query whatever the length, where a mask over all scores takes the whole square. Strips
are views into the padded keys; nothing but torch. Shapes: q [B, Hq, S, D], k and v [B, Hkv, S, D]
→ out [B, Hq, S, Dv]. Option ``chunk``: queries of a block, C.
"""

import torch
from torch.nn import functional as F

LAYOUT = "BHSD"


def supports(problem, device, options):
    """A side without a bound has no strip of fixed width."""
    if problem.window_left is None or (problem.window_right is None and not problem.causal):
        return "needs a bound to both sides of the window"
    return None


def build(problem, device, options):
    """A differentiable function from q, k, v to out; the band's mask is made here, once."""
    tokens, scale = problem.seq_q, problem.effective_scale
    # a bound beyond the sequence would only widen the strips
    left = min(problem.window_left, tokens - 1)
    right = 0 if problem.causal else min(problem.window_right, tokens - 1)
    size = min(options["chunk"], tokens)
    rest = -tokens % size
    blocks, width = (tokens + rest) // size, size + left + right

    block = torch.arange(blocks, device=device).view(-1, 1, 1)
    row = torch.arange(size, device=device).view(-1, 1)
    column = torch.arange(width, device=device)
    key = block * size - left + column  # its position, before 0 or past the end in the padding
    hidden = (column < row) | (column > row + left + right) | (key < 0) | (key >= tokens)

    def strips(x):
        """[B, H, S, D] → [B, H, 1, blocks, D, width], a view."""
        return F.pad(x, (0, 0, left, right + rest)).unfold(2, width, size).unsqueeze(2)

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        q = F.pad(q * scale, (0, 0, 0, rest)).unflatten(2, (blocks, size))
        q = q.unflatten(1, (problem.heads_kv, problem.group))
        scores = q @ strips(k)
        wide = torch.promote_types(scores.dtype, torch.float32)
        # not −inf: padded queries see nothing, and NaN there would reach every gradient
        scores = scores.to(wide).masked_fill(hidden, torch.finfo(wide).min)
        out = scores.softmax(-1).to(v.dtype) @ strips(v).mT
        return out.flatten(1, 2).flatten(2, 3)[:, :, :tokens]

    return attention
