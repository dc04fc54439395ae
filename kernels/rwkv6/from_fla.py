"""RWKV-6 by flash-linear-attention (fla-core), in Triton.

Peng et al. 2024 (arXiv 2404.05892).

Shapes: r, k, v, w [B, S, H, D], u [H, D] →
out [B, S, H, D], the library's own layout. Option ``form``: chunk or fused_recurrent.
w is the logarithm of the decay. Unscaled, where the library would divide by √D: r carries it.
"""

import importlib

LAYOUT = "BSHD"
FUNCTIONS = {"chunk": "chunk_rwkv6", "fused_recurrent": "fused_recurrent_rwkv6"}


def supports(problem, device, options):
    """Why the library can't take the problem, or None."""
    if options["form"] not in FUNCTIONS:
        return f"no form {options['form']}: there are {', '.join(FUNCTIONS)}"
    return None


def build(problem, device, options):
    """A differentiable function from the inputs to out; no state goes in, none is asked for."""
    function = getattr(importlib.import_module("fla.ops.rwkv6"), FUNCTIONS[options["form"]])

    def attention(inputs):
        r, k, v, w, u = (inputs[n] for n in ("r", "k", "v", "w", "u"))
        return function(r, k, v, w, u, scale=1.0)[0]

    return attention
