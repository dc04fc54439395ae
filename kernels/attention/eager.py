"""Attention in plain torch operations: matmul, softmax, matmul. What every fused kernel replaces.

    out = softmax(scale·q·kᵀ + mask)·v        Vaswani et al. 2017 (arXiv 1706.03762), §3.2.1

Shapes: q [B, Hq, Sq, Dqk], k [B, Hkv, Sk, Dqk], v [B, Hkv, Sk, Dv] → out [B, Hq, Sq, Dv]; sinks
[Hq]. The Sq × Sk scores go to memory and back several times, which is what FlashAttention saves
(arXiv 2205.14135, §3). Grouped heads are a view: the query heads that share a key/value head stand
below one another in one matrix. Option ``softmax``: ``fp32`` (what model code does: at least fp32,
then back) or ``native`` (in the inputs' own type: less memory traffic, larger errors). Option
``compile``: the same lines through torch.compile, which fuses all between the two matmuls.
"""

import os
import shutil
import types

import torch

LAYOUT = "BHSD"


def supports(problem, device, options):
    """Why it can't be compiled here, or None."""
    if options.get("compile") and torch.device(device).type == "cpu":
        compiler = os.environ.get("CXX", "g++")
        return None if shutil.which(compiler) else f"compiling needs a C++ compiler: no {compiler}"
    return None


def positions(problem, device):
    """Index arrays i, p, j and the lengths, which broadcast to [Sq, Sk] or, uneven, [B, 1, Sq, Sk].

    p = i + Sk − Sq is where query i stands on the keys' axis, with its sequence's own lengths.
    """
    i = torch.arange(problem.seq_q, device=device)[:, None]
    j = torch.arange(problem.seq_k, device=device)[None, :]
    sq, sk = problem.seq_q, problem.seq_k
    if problem.lengths:
        sq = torch.tensor(problem.lengths_q, device=device).view(-1, 1, 1, 1)
        sk = torch.tensor(problem.lengths_k, device=device).view(-1, 1, 1, 1)
    return i, i + (sk - sq), j, sq, sk


def hidden_pairs(problem, device):
    """Boolean [Sq, Sk] or [B, 1, Sq, Sk]: query i doesn't see key j. None: all are seen."""
    if problem.mask == "full" and not problem.lengths:
        return None
    i, p, j, sq, sk = positions(problem, device)
    hidden = (i >= sq) | (j >= sk)
    if problem.causal:
        hidden = hidden | (j > p)
    if problem.window_left is not None:
        hidden = hidden | (j < p - problem.window_left)
    if problem.window_right is not None:
        hidden = hidden | (j > p + problem.window_right)
    if problem.pattern == "strided":
        local, stride = problem.param("local"), problem.param("stride")
        hidden = hidden | ((p - j >= local) & ((p - j) % stride != 0))
    if problem.block_table is not None:
        block, n = problem.param("block"), len(problem.block_table)
        closed = torch.ones(n, n, dtype=torch.bool, device=device)
        for row, columns in enumerate(problem.block_table):
            closed[row, list(columns)] = False
        hidden = hidden | closed[i // block, j // block]
    if problem.document_starts is not None:
        starts = torch.tensor(problem.document_starts, device=device)
        hidden = hidden | (
            torch.bucketize(i, starts, right=True) != torch.bucketize(j, starts, right=True)
        )
    return hidden


def alibi_bias(problem, device, dtype):
    """[Hkv, group, Sq, Sk], or with the batch before them: −slope·|p − j|."""
    _, p, j, _, _ = positions(problem, device)
    slopes = torch.tensor(problem.alibi_slopes, device=device, dtype=torch.float64)
    distance = (p - j).abs().unsqueeze(-3)
    return (-slopes.view(problem.heads_kv, problem.group, 1, 1) * distance).to(dtype)


def build(problem, device, options):
    """A differentiable function from q, k, v to out; mask and bias are made here, once."""
    b, hkv, group = problem.batch, problem.heads_kv, problem.group
    sq, sk = problem.seq_q, problem.seq_k
    scale, cap = problem.effective_scale, problem.softcap
    in_fp32 = options["softmax"] == "fp32"
    hidden, bias, blind = hidden_pairs(problem, device), None, None
    if hidden is not None:
        if bool(hidden.all(-1).any()):
            # softmax over nothing is nan: let such rows see everything, and zero them at the end
            blind = hidden.all(-1, keepdim=True)
            hidden = hidden & ~blind
        hidden = hidden.unsqueeze(-3)  # broadcasts over the heads of a group
    if problem.alibi:
        native = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(problem.dtype, torch.float64)
        wide = torch.float64 if problem.dtype == "fp64" else torch.float32
        bias = alibi_bias(problem, device, wide if in_fp32 else native)

    def attention(q, k, v, sinks):
        scores = q.reshape(b, hkv, group * sq, -1) @ k.transpose(-1, -2) * scale
        scores = scores.view(b, hkv, group, sq, sk)
        if cap:
            scores = torch.tanh(scores / cap) * cap
        if bias is not None:
            scores = scores + bias
        if hidden is not None:
            scores = scores.masked_fill(hidden, -torch.inf)
        if sinks is not None:  # one more column for the softmax to share out to, and then to drop
            column = sinks.to(scores.dtype).view(1, hkv, group, 1, 1).expand(b, -1, -1, sq, 1)
            scores = torch.cat([scores, column], dim=-1)
        wide = torch.promote_types(scores.dtype, torch.float32) if in_fp32 else scores.dtype
        weights = torch.softmax(scores, dim=-1, dtype=wide)[..., :sk].to(v.dtype)
        out = (weights.reshape(b, hkv, group * sq, sk) @ v).view(b, hkv * group, sq, -1)
        return out if blind is None else out.masked_fill(blind, 0)

    if options.get("compile"):
        # Dynamo counts recompilations by code object, and past 8 runs plain code with a mere
        # warning: a code object of its own for each problem, and fullgraph so that it would raise.
        own = attention.__code__.replace()
        attention = types.FunctionType(own, globals(), "attention", None, attention.__closure__)
        attention = torch.compile(attention, fullgraph=True, dynamic=False)

    return lambda inputs: attention(inputs["q"], inputs["k"], inputs["v"], inputs.get("sinks"))
