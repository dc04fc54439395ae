"""Linear attention by flash-linear-attention (fla-core), in Triton.

Katharopoulos et al. 2020 (arXiv 2006.16236).

Shapes: q, k [B, S, H, Dqk], v [B, S, H, Dv] →
out [B, S, H, Dv], the library's own layout. Option ``form``: chunk or fused_recurrent.
The library takes q and k after their feature map φ(x) = elu(x) + 1, which a layer applies in torch:
it is part of the problem, so it is part of what is timed. Divided by φ(q)ᵀz (``normalize``).
"""

import importlib

from torch.nn import functional as F

LAYOUT = "BSHD"
FUNCTIONS = {"chunk": "chunk_linear_attn", "fused_recurrent": "fused_recurrent_linear_attn"}


def supports(problem, device, options):
    """Why the library can't take the problem, or None."""
    if options["form"] not in FUNCTIONS:
        return f"no form {options['form']}: there are {', '.join(FUNCTIONS)}"
    return None


def build(problem, device, options):
    """A differentiable function from the inputs to out; no state goes in, none is asked for."""
    function = getattr(importlib.import_module("fla.ops.linear_attn"), FUNCTIONS[options["form"]])

    def attention(inputs):
        q, k = F.elu(inputs["q"]) + 1, F.elu(inputs["k"]) + 1
        return function(q, k, inputs["v"], scale=1.0, normalize=True)[0]

    return attention
