"""Mamba-2 by mamba-ssm's own kernel, ``mamba_chunk_scan_combined``, in Triton.

Dao and Gu 2024 (arXiv 2405.21060). Shapes: x [B, S, H, P], a [B, S, H, 1], b and c [B, S, G, N],
which the H/G heads of a group share → out [B, S, H, P], the library's own layout.

The library multiplies by Δ itself: S = e^{Δ·A}·S + Δ·x⊗B. Here x carries Δ already and a = Δ·A, so
with A = −1 a head it is told Δ = −a and x/Δ. That division is part of what is timed: one pass over
x more than a layer has. Its backward pass isn't claimed: a's gradient would be a difference of two
large ones, the product's and the division's, which 16 bits don't hold. Option ``chunk``: tokens of
a chunk.
"""

import torch

LAYOUT = "BSHD"


def supports(problem, device, options):
    """Why the library can't take the problem, or None."""
    chunk = options["chunk"]
    if chunk < 16 or chunk & (chunk - 1):
        return f"chunk {chunk} is not a power of two of 16 or more"
    return None


def build(problem, device, options):
    """A function from x, a, b, c to out."""
    from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined

    minus_one = torch.full((problem.heads_q,), -1.0, device=device)
    chunk = options["chunk"]

    def attention(inputs):
        delta = -inputs["a"]  # [B, S, H, 1], positive
        x = inputs["x"] / delta
        given = (x, delta.squeeze(-1), minus_one, inputs["b"], inputs["c"], chunk)
        return mamba_chunk_scan_combined(*given)

    return attention
