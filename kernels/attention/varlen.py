"""torch's varlen_attn: FlashAttention-2 over packed sequences (arXiv 2307.08691), no padding.

Shapes: q [T, Hq, D], k and v [T, Hkv, D] → out [T, Hq, D], where T counts the actual tokens of all
sequences. Packed documents are sequences of their own to it, so that pairs across documents cost
nothing. Causal is bottom-right aligned; a window is (left, right) keys beside the own position.
torch 2.11 has windows and a scale already, grouped heads only 2.12 (pytorch PR 179468).
"""

import inspect
import itertools

import torch
from torch.nn.attention.varlen import varlen_attn

LAYOUT = "THD"


def supports(problem, device, options):
    """Why this torch can't take the problem, or None."""
    if problem.group != 1 and "enable_gqa" not in inspect.signature(varlen_attn).parameters:
        return f"varlen_attn of torch {torch.__version__} takes no grouped heads: 2.12 does"
    return None


def lengths_of(problem):
    """(query lengths, key lengths) of everything that attends within itself."""
    starts = problem.document_starts
    if starts is None:
        return problem.lengths_q, problem.lengths_k
    each = [end - start for start, end in itertools.pairwise((*starts, problem.seq_k))]
    return each * problem.batch, each * problem.batch


def edges(lengths, device):
    """[N + 1] where each sequence starts, and the end of the last."""
    return torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32, device=device)


def build(problem, device, options):
    """A differentiable function from packed q, k, v to out."""
    lengths_q, lengths_k = lengths_of(problem)
    edges_q, edges_k = edges(lengths_q, device), edges(lengths_k, device)
    left = -1 if problem.window_left is None else problem.window_left
    right = -1 if problem.window_right is None else problem.window_right
    window = (left, 0 if problem.causal else right)
    longest_q, longest_k = max(lengths_q), max(lengths_k)
    more = {"scale": problem.effective_scale, "window_size": window}
    if problem.group != 1:
        more["enable_gqa"] = True

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        return varlen_attn(q, k, v, edges_q, edges_k, longest_q, longest_k, **more)

    return attention
