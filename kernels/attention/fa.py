"""flash_attn_func of the flash-attn package, of the generation in option ``generation``: 2, 3 or 4.

    2  flash_attn             FlashAttention-2 (arXiv 2307.08691), compute capability 8.0 and later
    3  flash_attn_interface   FlashAttention-3 (arXiv 2407.08608), Hopper
    4  flash_attn.cute        FlashAttention-4 in CuTe DSL, Hopper and Blackwell

Shapes: q [B, Sq, Hq, Dqk], k [B, Sk, Hkv, Dqk], v [B, Sk, Hkv, Dv] → out [B, Sq, Hq, Dv]. Heads are
grouped natively. All three align causal to the bottom right and take a window as (left, right) keys
beside the own position, both ends included; a side without a bound is −1, for generation 4 None.
A row that sees nothing is 0. ALiBi is of generation 2 alone, sinks (one a query head) of 4 alone.
"""

import importlib
import importlib.util

import torch

LAYOUT = "BSHD"
MODULES = {2: "flash_attn", 3: "flash_attn_interface", 4: "flash_attn.cute"}


def supports(problem, device, options):
    """Why this generation can't take the problem here, or None."""
    generation = options["generation"]
    name = MODULES[generation]
    if importlib.util.find_spec(name) is None:
        return f"flash-attn here has no {name}"
    if generation == 4 and torch.device(device).type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        wide = max(problem.head_dim_qk, problem.head_dim_v)
        if major >= 10 and wide > 128 and not problem.head_dim_qk == problem.head_dim_v == 256:
            return f"flash-attn 4 takes head dims up to 128, or 256, on compute capability {major}"
        if major >= 10 and wide == 256 and problem.sinks and problem.direction != "forward":
            return "flash-attn 4 has no backward pass with sinks for head dim 256 there"
    return None


def arguments(problem, device, generation):
    """The keywords of a call: scale, mask, softcap, slopes."""
    unbound = None if generation == 4 else -1
    left = unbound if problem.window_left is None else problem.window_left
    right = unbound if problem.window_right is None else problem.window_right
    more = {
        "softmax_scale": problem.effective_scale,
        "causal": problem.causal,
        "window_size": (left, 0 if problem.causal and left != unbound else right),
        "softcap": problem.softcap,
    }
    if problem.alibi:  # −slope·|i + Sk − Sq − j|, after the softcap, as the problem means it
        more["alibi_slopes"] = torch.tensor(problem.alibi_slopes, device=device)
    return more


def build(problem, device, options):
    """A differentiable function from q, k, v to out; importing the library is set-up."""
    generation = options["generation"]
    function = importlib.import_module(MODULES[generation]).flash_attn_func
    more = arguments(problem, device, generation)

    def attention(inputs):
        if problem.sinks:
            more["learnable_sink"] = inputs["sinks"]
        out = function(inputs["q"], inputs["k"], inputs["v"], **more)
        return out[0] if generation == 4 else out  # 4 returns the log-sum-exp beside it

    return attention
