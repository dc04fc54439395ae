"""FlexAttention (arXiv 2412.05496): torch compiles one fused kernel for a mask and score function.

Shapes: q [B, Hq, Sq, Dqk], k [B, Hkv, Sk, Dqk], v [B, Hkv, Sk, Dv] → out [B, Hq, Sq, Dv]; sinks
[Hq]. The mask is a function of indices; ``build`` evaluates it to a table of 128 × 128 blocks, and
blocks that are hidden whole are never computed, so a window costs O(S·W). Softcap and ALiBi are
functions of the score. Attention with a sink is attention times Σexp(s) / (Σexp(s) + exp(sink)), so
the log-sum-exp that flex returns is enough. Compiling happens in the first call: 11 to 25 s on a
CPU, through Triton on a GPU. Option ``compile: false`` runs torch's unfused reference of the same
functions: for tests, never what one would time.
"""

import importlib.util
import os
import shutil
import types

import torch
from torch.nn.attention.flex_attention import (
    AuxRequest,
    and_masks,
    create_block_mask,
    flex_attention,
)

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


def position_function(problem, device):
    """Where query i of a sequence stands on the keys' axis: p = i + Sk − Sq, by actual lengths."""
    if not problem.lengths:
        return lambda batch, i: i + (problem.seq_k - problem.seq_q)
    ahead = torch.tensor(problem.lengths_k, device=device)
    ahead = ahead - torch.tensor(problem.lengths_q, device=device)
    return lambda batch, i: i + ahead[batch]


def mask_functions(problem, device):
    """The parts of a mask_mod, all of which must hold for query i to see key j."""
    position = position_function(problem, device)
    left, right = problem.window_left, problem.window_right
    if problem.causal:
        yield lambda b, h, i, j: j <= position(b, i)
    if left is not None:
        yield lambda b, h, i, j: j >= position(b, i) - left
    if right is not None:
        yield lambda b, h, i, j: j <= position(b, i) + right
    if problem.pattern == "strided":
        local, stride = problem.param("local"), problem.param("stride")

        def strided(b, h, i, j):
            back = position(b, i) - j
            return (back < local) | (back % stride == 0)

        yield strided
    if problem.block_table is not None:
        block, n = problem.param("block"), len(problem.block_table)
        table = torch.zeros(n, n, dtype=torch.bool, device=device)
        for row, columns in enumerate(problem.block_table):
            table[row, list(columns)] = True
        yield lambda b, h, i, j: table[i // block, j // block]
    if problem.document_starts is not None:
        starts = torch.tensor(problem.document_starts, device=device)
        number = torch.bucketize(torch.arange(problem.seq_k, device=device), starts, right=True)
        yield lambda b, h, i, j: number[i] == number[j]
    if problem.lengths:
        length_q = torch.tensor(problem.lengths_q, device=device)
        length_k = torch.tensor(problem.lengths_k, device=device)
        yield lambda b, h, i, j: (i < length_q[b]) & (j < length_k[b])


def score_function(problem, device):
    """A score_mod: softcap, then ALiBi's −slope·|p − j|; None where there is neither."""
    cap = problem.softcap
    if not problem.alibi:
        return (lambda s, b, h, i, j: cap * torch.tanh(s / cap)) if cap else None
    position = position_function(problem, device)
    slopes = torch.tensor(problem.alibi_slopes, device=device)

    def biased(score, b, h, i, j):
        if cap:
            score = cap * torch.tanh(score / cap)
        return score - slopes[h] * (position(b, i) - j).abs()

    return biased


def build(problem, device, options):
    """A function from q, k, v to out, differentiable on a GPU; block table made here."""
    table, parts = None, list(mask_functions(problem, device))
    if parts:
        lengths = (problem.seq_q, problem.seq_k)
        batch = problem.batch if problem.lengths else None
        compiled = torch.device(device).type != "cpu" and max(lengths) > DENSE_TABLE
        table = create_block_mask(
            and_masks(*parts), batch, None, *lengths, device=device, _compile=compiled
        )
    score, scale = score_function(problem, device), problem.effective_scale
    more = {"scale": scale, "enable_gqa": problem.group != 1}

    def attention(q, k, v, sinks):
        if sinks is None:
            return flex_attention(q, k, v, score, table, **more)
        aux = AuxRequest(lse=True)
        out, given = flex_attention(q, k, v, score, table, return_aux=aux, **more)
        return out * torch.sigmoid(given.lse - sinks[:, None]).unsqueeze(-1).to(out.dtype)

    if options.get("compile", True):
        # Dynamo counts recompilations by code object, and past 8 runs the unfused form with a mere
        # warning: a code object of its own for each problem, and fullgraph so that it would raise.
        code = attention.__code__.replace()
        own = types.FunctionType(code, globals(), "attention", None, attention.__closure__)
        attention = torch.compile(own, fullgraph=True, dynamic=False)

    return lambda inputs: attention(inputs["q"], inputs["k"], inputs["v"], inputs.get("sinks"))
