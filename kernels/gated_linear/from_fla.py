"""Gated linear attention by flash-linear-attention (fla-core), in Triton.

Yang et al. 2023 (arXiv 2312.06635).

Shapes: q, k, g [B, S, H, Dqk], v [B, S, H, Dv] →
out [B, S, H, Dv], the library's own layout. Option ``form``: chunk or fused_recurrent.
g is the logarithm of the decay, as the problem has it; the recurrent form calls it gk.
"""

import importlib

LAYOUT = "BSHD"
FUNCTIONS = {"chunk": "chunk_gla", "fused_recurrent": "fused_recurrent_gla"}


def supports(problem, device, options):
    """Why the library can't take the problem, or None."""
    if options["form"] not in FUNCTIONS:
        return f"no form {options['form']}: there are {', '.join(FUNCTIONS)}"
    return None


def build(problem, device, options):
    """A differentiable function from the inputs to out; no state goes in, none is asked for."""
    function = getattr(importlib.import_module("fla.ops.gla"), FUNCTIONS[options["form"]])
    scale = problem.effective_scale
    gate = "g" if options["form"] == "chunk" else "gk"

    def attention(inputs):
        q, k, v, g = (inputs[n] for n in ("q", "k", "v", "g"))
        return function(q, k, v, **{gate: g}, scale=scale)[0]

    return attention
