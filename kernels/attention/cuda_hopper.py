"""Fused attention in CUDA C++ for Hopper: wgmma, TMA and warp specialisation, for sm_90a alone.

FlashAttention-3 (arXiv 2407.08608, algorithms 1 and 2), forward, in 16 bits. Shapes: q
[B, Hq, Sq, D], k, v [B, Hkv, Sk, D] → out [B, Hq, Sq, D]; D is 64 or 128. One warpgroup brings
tiles, two compute on them and take turns at the tensor cores. The tile picture, the data's way and
the resources stand in cuda_hopper/hopper.cu. Not yet run on a GPU.
"""

import ctypes

import torch

LAYOUT = "BHSD"
CUDA = {"sources": ["hopper.cu"], "architectures": ["90a"]}
library = None  # the harness puts a function here: library(device) builds and loads
ALL = 1 << 30
"""A window's edge beyond every key."""


class Arguments(ctypes.Structure):
    """``Attention`` of kernels/cuda/attention.cuh."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("q", "k", "v", "out")),
        *(
            (name, ctypes.c_int)
            for name in ("batch", "heads_q", "heads_kv", "seq_q", "seq_k", "dim")
        ),
        *((name, ctypes.c_int) for name in ("left", "right", "bf16")),
        ("scale", ctypes.c_float),
    ]


def sizes(problem):
    """What of the arguments is known before the tensors are."""
    p = problem
    left = ALL if p.window_left is None else p.window_left
    right = ALL if p.window_right is None else p.window_right
    return (
        *(p.batch, p.heads_q, p.heads_kv, p.seq_q, p.seq_k, p.head_dim_qk),
        *(left, 0 if p.causal else right, p.dtype == "bf16", p.effective_scale),
    )


def build(problem, device, options):
    """A function from q, k and v to out; nvcc has run by then."""
    launch, known = library(device).launcher("hopper_forward"), sizes(problem)

    def attention(inputs):
        q, k, v = (inputs[name].contiguous() for name in "qkv")
        out = torch.empty_like(q)
        launch(Arguments(*(t.data_ptr() for t in (q, k, v, out)), *known))
        return out

    return attention
