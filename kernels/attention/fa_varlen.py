"""flash_attn_varlen_func: packed sequences without padding; option ``generation``: 2, 3 or 4.

    2  flash_attn             FlashAttention-2 (arXiv 2307.08691), compute capability 8.0 and later
    3  flash_attn_interface   FlashAttention-3 (arXiv 2407.08608), Hopper
    4  flash_attn.cute        FlashAttention-4 in CuTe DSL, Hopper and Blackwell

Shapes: q [T, Hq, Dqk], k [T, Hkv, Dqk], v [T, Hkv, Dv] → out [T, Hq, Dv], where T counts the actual
tokens of all sequences. Packed documents are sequences of their own, so pairs across them cost
nothing. Causal is aligned to the bottom right of each sequence by its actual lengths, windows are
(left, right) keys beside the own position; a side without a bound is −1, for generation 4 None.
"""

import importlib
import importlib.util
import itertools

import torch

LAYOUT = "THD"
MODULES = {2: "flash_attn", 3: "flash_attn_interface", 4: "flash_attn.cute"}


def supports(problem, device, options):
    """Why this generation can't take the problem here, or None."""
    name = MODULES[options["generation"]]
    if importlib.util.find_spec(name) is None:
        return f"flash-attn here has no {name}"
    if options["generation"] == 4 and torch.device(device).type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        if major >= 10 and max(problem.head_dim_qk, problem.head_dim_v) > 128:
            return f"flash-attn 4 takes head dims up to 128 on compute capability {major}"
    return None


def lengths_of(problem):
    """(query lengths, key lengths) of everything that attends within itself."""
    starts = problem.document_starts
    if starts is None:
        return problem.lengths_q, problem.lengths_k
    each = [end - start for start, end in itertools.pairwise((*starts, problem.seq_k))]
    return each * problem.batch, each * problem.batch


def edges(lengths, device):
    """[N + 1] int32: where each sequence starts, and the end of the last."""
    return torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32, device=device)


def build(problem, device, options):
    """A differentiable function from packed q, k, v to out."""
    generation = options["generation"]
    function = importlib.import_module(MODULES[generation]).flash_attn_varlen_func
    lengths_q, lengths_k = lengths_of(problem)
    unbound = None if generation == 4 else -1
    left = unbound if problem.window_left is None else problem.window_left
    right = unbound if problem.window_right is None else problem.window_right
    more = {
        "cu_seqlens_q": edges(lengths_q, device),
        "cu_seqlens_k": edges(lengths_k, device),
        "max_seqlen_q": max(lengths_q),
        "max_seqlen_k": max(lengths_k),
        "softmax_scale": problem.effective_scale,
        "causal": problem.causal,
        "window_size": (left, 0 if problem.causal and left != unbound else right),
        "softcap": problem.softcap,
    }
    if problem.alibi:  # −slope·|i + Sk − Sq − j|, after the softcap, as the problem means it
        more["alibi_slopes"] = torch.tensor(problem.alibi_slopes, device=device)

    def attention(inputs):
        if problem.sinks:
            more["learnable_sink"] = inputs["sinks"]
        out = function(inputs["q"], inputs["k"], inputs["v"], **more)
        return out[0] if generation == 4 else out  # 4 returns the log-sum-exp beside it

    return attention
