"""The delta rule by flash-linear-attention (fla-core), in Triton.

Yang et al. 2024 (arXiv 2406.06484).

Shapes: q, k [B, S, H, Dqk], v [B, S, H, Dv], beta [B, S, H, 1] →
out [B, S, H, Dv], the library's own layout. Option ``form``: chunk or fused_recurrent.
The library takes β as [B, S, H], a view. k has norm 1 already, so its own norm stays off.
"""

import importlib

LAYOUT = "BSHD"
FUNCTIONS = {"chunk": "chunk_delta_rule", "fused_recurrent": "fused_recurrent_delta_rule"}


def supports(problem, device, options):
    """Why the library can't take the problem, or None."""
    if options["form"] not in FUNCTIONS:
        return f"no form {options['form']}: there are {', '.join(FUNCTIONS)}"
    return None


def build(problem, device, options):
    """A differentiable function from the inputs to out; no state goes in, none is asked for."""
    function = getattr(importlib.import_module("fla.ops.delta_rule"), FUNCTIONS[options["form"]])
    scale = problem.effective_scale

    def attention(inputs):
        q, k, v, beta = (inputs[n] for n in ("q", "k", "v", "beta"))
        return function(q, k, v, beta.squeeze(-1), scale=scale)[0]

    return attention
