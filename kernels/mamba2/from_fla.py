"""Mamba-2's state-space duality by flash-linear-attention (fla-core), in Triton.

Dao and Gu 2024 (arXiv 2405.21060).

Shapes: x [B, S, H, P], a [B, S, H, 1], b and c [B, S, H, N] →
out [B, S, H, P], the library's own layout. Option ``form``: chunk or fused_recurrent.
As linear attention with one decay a head: c are its queries, b its keys, x its values and a its
gate, [B, S, H] as a view; unscaled, where the library would divide by √N. It shares no b and c
between heads.
"""

import importlib

LAYOUT = "BSHD"
FUNCTIONS = {"chunk": "chunk_simple_gla", "fused_recurrent": "fused_recurrent_simple_gla"}


def supports(problem, device, options):
    """Why the library can't take the problem, or None."""
    if options["form"] not in FUNCTIONS:
        return f"no form {options['form']}: there are {', '.join(FUNCTIONS)}"
    return None


def build(problem, device, options):
    """A differentiable function from the inputs to out; no state goes in, none is asked for."""
    function = getattr(importlib.import_module("fla.ops.simple_gla"), FUNCTIONS[options["form"]])

    def attention(inputs):
        x, b, c = inputs["x"], inputs["b"], inputs["c"]
        return function(c, b, x, g=inputs["a"].squeeze(-1), scale=1.0)[0]

    return attention
