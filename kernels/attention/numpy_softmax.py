"""Scaled dot-product attention as the textbook writes it, in numpy.

    out = softmax(scale·q·kᵀ + mask)·v        Vaswani et al. 2017 (arXiv 1706.03762), §3.2.1

Shapes: q [B, Hq, Sq, Dqk], k [B, Hkv, Sk, Dqk], v [B, Hkv, Sk, Dv] → out [B, Hq, Sq, Dv]. The
Sq × Sk scores are held whole, one matrix a query head. The query heads that share a key/value head
stand below one another in one matrix, so grouped heads need no copy of k and v. numpy's matrix
product is its BLAS, whose threads follow OMP_NUM_THREADS and not torch's setting.
"""

import numpy as np
import torch

LAYOUT = "BHSD"


def hidden_pairs(problem):
    """Boolean [Sq, Sk]: query i, at p = i + Sk − Sq, doesn't see key j. None: it sees all."""
    if problem.mask == "full":
        return None
    i, j = np.ogrid[: problem.seq_q, : problem.seq_k]
    p = i + (problem.seq_k - problem.seq_q)
    hidden = np.zeros((problem.seq_q, problem.seq_k), dtype=bool)
    if problem.causal:
        hidden |= j > p
    if problem.window_left is not None:
        hidden |= j < p - problem.window_left
    if problem.window_right is not None:
        hidden |= j > p + problem.window_right
    return hidden


def build(problem, device, options):
    """A function from q, k, v (CPU tensors) to out; the mask is made here, once."""
    b, hkv, group = problem.batch, problem.heads_kv, problem.group
    sq, sk = problem.seq_q, problem.seq_k
    scale, cap = problem.effective_scale, problem.softcap
    hidden = hidden_pairs(problem)
    blind = hidden is not None and hidden.all(axis=1)

    def attention(inputs):
        q, k, v = (inputs[name].numpy() for name in ("q", "k", "v"))
        scores = q.reshape(b, hkv, group * sq, -1) @ k.swapaxes(-1, -2)
        scores *= scale
        if cap:
            scores = np.tanh(scores / cap) * cap
        if hidden is not None:
            np.copyto(scores.reshape(b, hkv, group, sq, sk), -np.inf, where=hidden)
        top = scores.max(axis=-1, keepdims=True)
        top[top == -np.inf] = 0  # a row that sees nothing: exp gives 0, not nan
        weights = np.exp(scores - top, out=scores)
        total = weights.sum(axis=-1, keepdims=True)
        total[total == 0] = 1
        weights /= total
        out = (weights @ v).reshape(b, hkv * group, sq, -1)
        if np.any(blind):
            out[:, :, blind] = 0
        return torch.from_numpy(out)

    return attention
