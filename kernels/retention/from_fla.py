"""Retention by flash-linear-attention (fla-core), in Triton.

Sun et al. 2023 (arXiv 2307.08621).

Shapes: q, k [B, S, H, Dqk], v [B, S, H, Dv] →
out [B, S, H, Dv], the library's own layout. Option ``form``: chunk or fused_recurrent.
The library makes the decays γ = 1 − 2^(−5−h) of the heads itself, as the problem means them.
"""

import importlib

LAYOUT = "BSHD"
FUNCTIONS = {"chunk": "chunk_retention", "fused_recurrent": "fused_recurrent_retention"}


def supports(problem, device, options):
    """Why the library can't take the problem, or None."""
    if options["form"] not in FUNCTIONS:
        return f"no form {options['form']}: there are {', '.join(FUNCTIONS)}"
    return None


def build(problem, device, options):
    """A differentiable function from the inputs to out; no state goes in, none is asked for."""
    function = getattr(importlib.import_module("fla.ops.retention"), FUNCTIONS[options["form"]])
    scale = problem.effective_scale

    def attention(inputs):
        return function(inputs["q"], inputs["k"], inputs["v"], scale=scale)[0]

    return attention
