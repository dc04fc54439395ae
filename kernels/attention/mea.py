"""xformers' memory_efficient_attention, which picks one of its kernels (arXiv 2112.05682).

Shapes: q [B, Sq, H, D], k and v [B, Sk, H, D] → out [B, Sq, H, D] ("BMHK" there). A mask is an
object, made once. The plain LowerTriangularMask is aligned to the TOP left, so causal is said by
the FromBottomRight ones; they leave a row without a key undefined, so it is refused. The causal
local mask counts the own position into its window, the two-sided one gives keys to either side.
"""

import importlib

LAYOUT = "BSHD"
PLACE = "xformers.ops.fmha.attn_bias"


def supports(problem, device, options):
    """Why xformers can't take the problem, or None."""
    if problem.causal and problem.seq_q > problem.seq_k:
        return "xformers leaves rows that see no key undefined"
    if problem.mask == "window" and problem.seq_q - problem.seq_k > (problem.window_right or 0):
        return "xformers leaves rows that see no key undefined"
    return None


def bias_of(problem):
    """The mask as xformers says it, or None."""
    masks = importlib.import_module(PLACE)
    left, right = problem.window_left, problem.window_right
    if problem.mask == "causal":
        return masks.LowerTriangularFromBottomRightMask()
    if problem.mask == "causal_window":
        return masks.LowerTriangularFromBottomRightLocalAttentionMask(_window_size=left + 1)
    if problem.mask == "window":
        sides = (problem.seq_k if side is None else side for side in (left, right))
        return masks.LocalAttentionFromBottomRightMask(*sides)
    return None


def build(problem, device, options):
    """A differentiable function from q, k, v to out."""
    from xformers.ops import memory_efficient_attention

    bias, scale = bias_of(problem), problem.effective_scale

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        return memory_efficient_attention(q, k, v, attn_bias=bias, scale=scale)

    return attention
