"""Hugging Face transformers' attention functions: what ``attn_implementation=…`` runs in a model.

Shapes: q [B, Hq, Sq, D], k and v [B, Hkv, Sk, D] → out [B, Hq, Sq, D], the function's own
[B, Sq, Hq, D] seen transposed. The formula is that of arXiv 1706.03762, §3.2.1. Option
``implementation``: eager (Llama's function, as each model has its own) or a name that
``transformers.AttentionInterface`` knows. The mask is made once, in the form that each takes:

    eager              added numbers, none where all is seen
    sdpa               booleans, none where a model passes none (full, causal)
    flex_attention     a block mask; compiled in the first call, as transformers does it
    flash_attention_2  none: flash-attn is told causal (bottom-right) and a window's size
"""

import importlib.util
import os
import shutil
import types

import torch

LAYOUT = "BHSD"
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def supports(problem, device, options):
    """Why transformers can't run it here as named, or None."""
    if options["implementation"] == "flex_attention":
        if torch.device(device).type == "cpu":
            compiler = os.environ.get("CXX", "g++")
            found = shutil.which(compiler)
            return None if found else f"compiling needs a C++ compiler: no {compiler}"
        if min(problem.head_dim_qk, problem.head_dim_v) < 16:
            return "tl.dot takes no head dim below 16"
        if importlib.util.find_spec("triton") is None:
            return "compiling for a GPU needs triton"
    if options["implementation"] == "flash_attention_2":
        from transformers import modeling_flash_attention_utils as flash

        if not flash.is_flash_attn_2_available():
            # transformers would fetch a kernel of the same name from the hub in its place
            return "transformers finds no flash-attn of 2.3.3 or later with CUDA"
        if problem.head_dim_v > problem.head_dim_qk:
            return "transformers pads values to the keys' head dim, and would cut wider ones"
    return None


def see(problem, b, h, i, j):
    """Does query i see key j? Index arrays that broadcast, Sq = Sk; b and h don't matter."""
    seen = (i >= 0) & (j >= 0)
    if problem.causal:
        seen = seen & (j <= i)
    if problem.window_left is not None:
        seen = seen & (j >= i - problem.window_left)
    if problem.window_right is not None:
        seen = seen & (j <= i + problem.window_right)
    return seen


def make_mask(problem, device, name):
    """What a model would hand to the function as its ``attention_mask``."""
    unmasked = {"eager": ("full",), "sdpa": ("full", "causal"), "flex_attention": ()}
    if problem.mask in unmasked.get(name, (problem.mask,)):
        return None
    if name == "flex_attention":
        from transformers.masking_utils import flex_attention_mask

        sizes = (problem.batch, problem.seq_q, problem.seq_k)
        function = lambda b, h, i, j: see(problem, b, h, i, j)  # noqa: E731 - a mask_mod by its form
        return flex_attention_mask(*sizes, mask_function=function, device=device)
    i = torch.arange(problem.seq_q, device=device)
    seen = see(problem, None, None, i[:, None], i)[None, None]
    if name == "sdpa":
        return seen
    added = torch.zeros(seen.shape, dtype=DTYPES[problem.dtype], device=device)
    return added.masked_fill(~seen, torch.finfo(added.dtype).min)


def build(problem, device, options):
    """A differentiable function from q, k, v to out; importing transformers is set-up."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    name = options["implementation"]
    if name == "eager":
        from transformers.models.llama.modeling_llama import eager_attention_forward as function
    else:
        function = ALL_ATTENTION_FUNCTIONS[name]
    layer = types.SimpleNamespace(
        num_key_value_groups=problem.group,
        is_causal=problem.causal,
        training=False,
        config=types.SimpleNamespace(_attn_implementation=name),
    )
    more = {"scaling": problem.effective_scale, "dropout": 0.0}
    if problem.softcap:
        more["softcap"] = problem.softcap
    if name == "flash_attention_2" and problem.window_left is not None:
        more["sliding_window"] = problem.window_left + 1  # transformers counts the own position
    if name == "flex_attention":
        # One compiled function serves a whole process: a second shape would compile it anew for
        # any length, a ninth run it unfused with a mere warning. Each problem starts afresh.
        torch.compiler.reset()
    mask = make_mask(problem, device, name)

    def attention(inputs):
        out, _ = function(layer, inputs["q"], inputs["k"], inputs["v"], mask, **more)
        return out.transpose(1, 2)

    return attention
