"""PaTH attention by flash-linear-attention (fla-core), in Triton.

Yang et al. 2025 (arXiv 2505.16381).

Shapes: q, k, w [B, S, H, Dqk], v [B, S, H, Dv], beta [B, S, H, 1] →
out [B, S, H, Dv], the library's own layout. Option ``form``: parallel.
The library takes w and β in fp32 alone: the conversion is part of what is timed. β is [B, S, H].
"""

import importlib

LAYOUT = "BSHD"
FUNCTIONS = {"parallel": "parallel_path_attn"}


def supports(problem, device, options):
    """Why the library can't take the problem, or None."""
    if options["form"] not in FUNCTIONS:
        return f"no form {options['form']}: there are {', '.join(FUNCTIONS)}"
    return None


def build(problem, device, options):
    """A differentiable function from the inputs to out; no state goes in, none is asked for."""
    function = getattr(importlib.import_module("fla.ops.path_attn"), FUNCTIONS[options["form"]])
    scale = problem.effective_scale

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        w, beta = inputs["w"].float(), inputs["beta"].float().squeeze(-1)
        return function(q, k, v, w, beta, scale=scale)[0]

    return attention
