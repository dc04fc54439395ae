"""SageAttention 1.0.6: q and k as int8 blocks with a scale each, p and v fp16 (arXiv 2410.02367).

Shapes: q [B, Hq, S, D], k, v [B, Hkv, S, D] → out [B, Hq, S, D] ("HND" there). It subtracts the
mean of k over the sequence, which softmax doesn't see, in the caller's tensor: it gets a copy, and
the copy is timed, as whoever calls it needs one. Causal is aligned to a square. Without a mask it
counts the empty columns of k's last block of 64 into every softmax (attn_qk_int8_per_block.py masks
the loads, not the scores), and divides by zero for a single key, which is its own mean: its yaml
claims whole blocks alone. It multiplies in 8 bits: its yaml says so, and it is judged as such.
"""

LAYOUT = "BHSD"


def supports(problem, device, options):
    """Why SageAttention can't take the problem, or None."""
    if problem.causal and problem.seq_q != problem.seq_k:
        return "SageAttention aligns causal to a square"
    return None


def build(problem, device, options):
    """A function from q, k, v to out."""
    from sageattention import sageattn

    causal, scale = problem.causal, problem.effective_scale

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"].clone(), inputs["v"]
        return sageattn(q, k, v, tensor_layout="HND", is_causal=causal, sm_scale=scale)

    return attention
