"""RWKV-7 by flash-linear-attention (fla-core), in Triton.

Peng et al. 2025 (arXiv 2503.14456).

Shapes: r, w, k, v, a, b [B, S, H, D] →
out [B, S, H, D], the library's own layout. Option ``form``: chunk or fused_recurrent.
w is the logarithm of the decay; the scale is 1 by the library's default too. The recurrent form
would write the last state unasked.
"""

import importlib

LAYOUT = "BSHD"
FUNCTIONS = {"chunk": "chunk_rwkv7", "fused_recurrent": "fused_recurrent_rwkv7"}


def supports(problem, device, options):
    """Why the library can't take the problem, or None."""
    if options["form"] not in FUNCTIONS:
        return f"no form {options['form']}: there are {', '.join(FUNCTIONS)}"
    return None


def build(problem, device, options):
    """A differentiable function from the inputs to out; no state goes in, none is asked for."""
    function = getattr(importlib.import_module("fla.ops.rwkv7"), FUNCTIONS[options["form"]])

    def attention(inputs):
        r, w, k, v, a, b = (inputs[n] for n in ("r", "w", "k", "v", "a", "b"))
        return function(r, w, k, v, a, b, scale=1.0, output_final_state=False)[0]

    return attention
