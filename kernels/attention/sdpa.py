"""torch's scaled_dot_product_attention, held to one backend: the one in option ``backend``.

    MATH                 matmul-softmax-matmul, in fp32 for 16-bit inputs
    FLASH_ATTENTION      FlashAttention-2 (arXiv 2307.08691); on a CPU a tiled kernel of torch's own
    EFFICIENT_ATTENTION  memory-efficient attention (arXiv 2112.05682): xformers' CUTLASS kernel
    CUDNN_ATTENTION      cuDNN's fused attention

Shapes: q [B, Hq, Sq, Dqk], k [B, Hkv, Sk, Dqk], v [B, Hkv, Sk, Dv] → out [B, Hq, Sq, Dv].
``sdpa_kernel`` allows one backend only, so torch raises where it can't take the problem, and never
uses another. ``is_causal`` is aligned to the TOP left in torch, so for Sq ≠ Sk the bottom-right
mask is told otherwise: through ``causal_lower_right`` where a CUDA kernel knows it (flash,
efficient), as a boolean mask where the backend takes one, and else the problem is refused.
"""

import warnings

import torch
from torch.backends import cuda
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right

LAYOUT = "BHSD"
DTYPES = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
CAN_USE = {
    "FLASH_ATTENTION": cuda.can_use_flash_attention,
    "EFFICIENT_ATTENTION": cuda.can_use_efficient_attention,
    "CUDNN_ATTENTION": cuda.can_use_cudnn_attention,
}


def mask_form(problem, device, backend):
    """How the backend is told the mask: none, is_causal, lower_right, tensor; None: it can't be."""
    on_cpu = torch.device(device).type == "cpu"
    plain = not problem.lengths and not problem.alibi
    if problem.mask == "full" and plain:
        return "none"
    if problem.mask == "causal" and problem.seq_q == problem.seq_k and plain:
        return "is_causal"
    if backend == "MATH" or (backend == "FLASH_ATTENTION" and on_cpu):
        return "tensor"
    if problem.mask == "causal" and plain and backend in ("FLASH_ATTENTION", "EFFICIENT_ATTENTION"):
        return "lower_right"
    return "tensor" if backend == "EFFICIENT_ATTENTION" else None


def mask_tensor(problem, device):
    """Boolean [Sq, Sk] ([B, 1, Sq, Sk] with uneven lengths), true where query i sees key j.

    With ALiBi its bias instead, [1 or B, Hq, Sq, Sk] in the inputs' type, −∞ where hidden.
    """
    i = torch.arange(problem.seq_q, device=device)[:, None]
    j = torch.arange(problem.seq_k, device=device)[None, :]
    sq, sk = problem.seq_q, problem.seq_k
    if problem.lengths:
        sq = torch.tensor(problem.lengths_q, device=device).view(-1, 1, 1, 1)
        sk = torch.tensor(problem.lengths_k, device=device).view(-1, 1, 1, 1)
    p = i + (sk - sq)
    seen = (i < sq) & (j < sk)
    if problem.causal:
        seen = seen & (j <= p)
    if problem.window_left is not None:
        seen = seen & (j >= p - problem.window_left)
    if problem.window_right is not None:
        seen = seen & (j <= p + problem.window_right)
    if problem.pattern == "strided":
        back = p - j
        seen = seen & ((back < problem.param("local")) | (back % problem.param("stride") == 0))
    if problem.block_table is not None:
        block, n = problem.param("block"), len(problem.block_table)
        table = torch.zeros(n, n, dtype=torch.bool, device=device)
        for row, columns in enumerate(problem.block_table):
            table[row, list(columns)] = True
        seen = seen & table[i // block, j // block]
    if problem.document_starts is not None:
        starts = torch.tensor(problem.document_starts, device=device)
        number = torch.bucketize(j[0], starts, right=True)
        seen = seen & (number[:, None] == number[None, :])
    if not problem.alibi:
        return seen
    slopes = torch.tensor(problem.alibi_slopes, device=device, dtype=torch.float64)
    bias = -slopes[:, None, None] * (p - j).abs()
    return bias.masked_fill(~seen, -torch.inf).to(DTYPES[problem.dtype]).view(-1, *bias.shape[-3:])


def supports(problem, device, options):
    """Why this backend can't take the problem on this device, or None. Asks torch on CUDA."""
    backend = options["backend"]
    form = mask_form(problem, device, backend)
    if form is None:
        what = f"{problem.mask} mask" if problem.pattern else f"bottom-right {problem.mask} mask"
        return f"{backend} has no {what} for Sq ≠ Sk, nor takes one"
    if backend == "EFFICIENT_ATTENTION" and form != "none" and problem.seq_q > problem.seq_k:
        # pytorch PR 193632: the diagonal's offset wrapped round, and blind rows weren't written
        return "EFFICIENT_ATTENTION is wrong for queries that see no key"
    if torch.device(device).type == "cpu" or backend == "MATH":
        return None
    return torchs_refusal(problem, device, backend, form)


def torchs_refusal(problem, device, backend, form):
    """torch's own reasons against the backend, asked with tensors that take no memory."""

    def empty(heads, length, dim):
        grad = problem.direction != "forward"
        row = torch.empty(dim, dtype=DTYPES[problem.dtype], device=device)
        return row.expand(problem.batch, heads, length, dim).requires_grad_(grad)

    q = empty(problem.heads_q, problem.seq_q, problem.head_dim_qk)
    k = empty(problem.heads_kv, problem.seq_k, problem.head_dim_qk)
    v = empty(problem.heads_kv, problem.seq_k, problem.head_dim_v)
    mask = None
    if form == "tensor":
        mask = torch.ones(1, dtype=torch.bool, device=device).expand(problem.seq_q, problem.seq_k)
    params = cuda.SDPAParams(q, k, v, mask, 0.0, form == "is_causal", problem.group != 1)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        if CAN_USE[backend](params, debug=True):
            return None
    reasons = "; ".join(str(w.message).split(" (Triggered internally")[0] for w in said)
    return f"torch refuses {backend}: {reasons or 'no reason given'}"


def build(problem, device, options):
    """A differentiable function from q, k, v to out."""
    backend = getattr(SDPBackend, options["backend"])
    form = mask_form(problem, device, options["backend"])
    more = {"scale": problem.effective_scale, "enable_gqa": problem.group != 1}
    if form == "is_causal":
        more["is_causal"] = True
    elif form == "lower_right":
        with warnings.catch_warnings():
            # it warns that blind rows are NaN where it materialises the mask; no kernel here does
            warnings.simplefilter("ignore")
            more["attn_mask"] = causal_lower_right(problem.seq_q, problem.seq_k)
    elif form == "tensor":
        more["attn_mask"] = mask_tensor(problem, device)

    def attention(inputs):
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(inputs["q"], inputs["k"], inputs["v"], **more)

    return attention
