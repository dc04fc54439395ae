"""FlexAttention's decoding (arXiv 2412.05496): one compiled kernel that skips hidden blocks.

Shapes: q [B, Hq, Sq, Dqk], k_cache [B, Hkv, Sk, Dqk], v_cache [B, Hkv, Sk, Dv] → out
[B, Hq, Sq, Dv]. On a GPU torch picks a split-KV template for short queries. ``build`` evaluates
the contexts' ends and any window to a table of blocks, by sequence, so the padding of shorter
contexts costs nothing. Compiling happens in the first call. Option ``compile: false`` runs torch's
unfused reference of the same functions: for tests, never what one would time.
"""

import importlib.util
import os
import shutil
import types

import torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

LAYOUT = "BHSD"


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


def mask_function(problem, lengths):
    """A mask_mod: does new token i of sequence b, at p = i + length − Sq, see token j?"""
    seq_q, causal, left = problem.seq_q, problem.causal, problem.window_left

    def sees(b, head, i, j):
        p = i + lengths[b] - seq_q
        seen = j < lengths[b]
        if causal:
            seen = seen & (j <= p)
        if left is not None:
            seen = seen & (j >= p - left)
        return seen

    return sees


def softcap_function(cap):
    """A score_mod: cap·tanh(score / cap)."""

    def softcap(score, b, head, i, j):
        return cap * torch.tanh(score / cap)

    return softcap


def build(problem, device, options):
    """A function from q and the cache to out; the block table is made here."""
    lengths = torch.tensor(problem.lengths_k, device=device)
    shape = (problem.batch, None, problem.seq_q, problem.seq_k)
    table = create_block_mask(mask_function(problem, lengths), *shape, device=device)
    score = softcap_function(problem.softcap) if problem.softcap else None
    scale, gqa = problem.effective_scale, problem.group != 1

    def decode(q, k, v):
        return flex_attention(
            q, k, v, score_mod=score, block_mask=table, scale=scale, enable_gqa=gqa
        )

    if options.get("compile", True):
        # a code object of its own for each problem: Dynamo counts recompilations by it, and past
        # its limit runs the unfused form with a mere warning
        code = decode.__code__.replace()
        own = types.FunctionType(code, globals(), "decode", None, decode.__closure__)
        decode = torch.compile(own, fullgraph=True, dynamic=False)

    return lambda inputs: decode(inputs["q"], inputs["k_cache"], inputs["v_cache"])
