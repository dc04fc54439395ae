"""FlexAttention (arXiv 2412.05496): torch compiles one fused kernel for a mask and score function.

Shapes: q [B, Hq, Sq, Dqk], k [B, Hkv, Sk, Dqk], v [B, Hkv, Sk, Dv] → out [B, Hq, Sq, Dv]. The mask
is a function of indices; ``build`` evaluates it to a table of 128 × 128 blocks, and blocks that are
hidden whole are never computed, so a window costs O(S·W). Compiling happens in the first call: 11
to 25 s on a CPU, through Triton on a GPU. Option ``compile: false`` runs torch's unfused reference
of the same functions: for tests, never what one would time.
"""

import importlib.util
import os
import shutil
import types

import torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

LAYOUT = "BHSD"
DENSE_TABLE = 8192  # a longer mask is evaluated block by block in a compiled function on a GPU


def supports(problem, device, options):
    """Why it can't be compiled here, or None."""
    if not options.get("compile", True):
        return None
    if torch.device(device).type == "cpu":
        compiler = os.environ.get("CXX", "g++")
        return None if shutil.which(compiler) else f"compiling needs a C++ compiler: no {compiler}"
    if min(problem.head_dim_qk, problem.head_dim_v) < 16:
        return "tl.dot takes no head dim below 16"
    if importlib.util.find_spec("triton") is None:
        return "compiling for a GPU needs triton"
    return None


def mask_function(problem):
    """A mask_mod: does query i, at p = i + Sk − Sq, see key j?"""
    offset = problem.seq_k - problem.seq_q
    causal, left, right = problem.causal, problem.window_left, problem.window_right

    def sees(batch, head, i, j):
        p = i + offset
        seen = j >= 0
        if causal:
            seen = seen & (j <= p)
        if left is not None:
            seen = seen & (j >= p - left)
        if right is not None:
            seen = seen & (j <= p + right)
        return seen

    return sees


def softcap_function(cap):
    """A score_mod: cap·tanh(score / cap)."""

    def softcap(score, batch, head, i, j):
        return cap * torch.tanh(score / cap)

    return softcap


def build(problem, device, options):
    """A function from q, k, v to out, differentiable on a GPU; block table made here."""
    table = None
    if problem.mask != "full":
        lengths = (problem.seq_q, problem.seq_k)
        compiled = torch.device(device).type != "cpu" and max(lengths) > DENSE_TABLE
        table = create_block_mask(
            mask_function(problem), None, None, *lengths, device=device, _compile=compiled
        )
    score = softcap_function(problem.softcap) if problem.softcap else None
    scale, gqa = problem.effective_scale, problem.group != 1

    def attention(q, k, v):
        return flex_attention(
            q, k, v, score_mod=score, block_mask=table, scale=scale, enable_gqa=gqa
        )

    if options.get("compile", True):
        # Dynamo counts recompilations by code object, and past 8 runs the unfused form with a mere
        # warning: a code object of its own for each problem, and fullgraph so that it would raise.
        code = attention.__code__.replace()
        own = types.FunctionType(code, globals(), "attention", None, attention.__closure__)
        attention = torch.compile(own, fullgraph=True, dynamic=False)

    return lambda inputs: attention(inputs["q"], inputs["k"], inputs["v"])
