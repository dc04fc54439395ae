"""Hugging Face transformers' attention functions: what ``attn_implementation=…`` runs in a model.

Shapes: q [B, Hq, Sq, D], k and v [B, Hkv, Sk, D] → out [B, Hq, Sq, D], the function's own
[B, Sq, Hq, D] seen transposed. The formula is that of arXiv 1706.03762, §3.2.1. Option
``implementation``: eager (Llama's function, as each model has its own) or a name that
``transformers.AttentionInterface`` knows. The mask is made once, in the form that each takes: added
numbers for eager; for sdpa none where a model passes none (full, causal), else booleans.
"""

import types

import torch

LAYOUT = "BHSD"


def seen_pairs(problem, device):
    """Boolean [1, 1, S, S]: does query i see key j? Sq = Sk here."""
    i = torch.arange(problem.seq_q, device=device)[:, None]
    j = torch.arange(problem.seq_k, device=device)[None, :]
    seen = torch.ones(problem.seq_q, problem.seq_k, dtype=torch.bool, device=device)
    if problem.causal:
        seen &= j <= i
    if problem.window_left is not None:
        seen &= j >= i - problem.window_left
    if problem.window_right is not None:
        seen &= j <= i + problem.window_right
    return seen[None, None]


def build(problem, device, options):
    """A differentiable function from q, k, v to out; importing transformers is set-up."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.models.llama.modeling_llama import eager_attention_forward

    name = options["implementation"]
    function = eager_attention_forward if name == "eager" else ALL_ATTENTION_FUNCTIONS[name]
    layer = types.SimpleNamespace(
        num_key_value_groups=problem.group, is_causal=problem.causal, training=False
    )
    mask = None
    if problem.mask not in (("full",) if name == "eager" else ("full", "causal")):
        mask = seen_pairs(problem, device)
        if name == "eager":
            dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
            hidden = torch.zeros(mask.shape, dtype=dtype[problem.dtype], device=device)
            mask = hidden.masked_fill(~mask, torch.finfo(hidden.dtype).min)

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        out, _ = function(layer, q, k, v, mask, scaling=problem.effective_scale, dropout=0.0)
        return out.transpose(1, 2)

    return attention
