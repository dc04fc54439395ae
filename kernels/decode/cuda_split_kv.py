"""Flash-Decoding in CUDA C++: the context in splits, contiguous or paged, merged by log-sum-exp.

T. Dao et al., "Flash-Decoding", 2023; pages: arXiv 2309.06180, §4; merge: arXiv 2205.14135, §3.1.
Shapes: q [B, Hq, Sq, D]; k_cache and v_cache [B, Hkv, Sk, D], or paged [pages, Hkv, page, D] with
page_table [B, Sk / page]; lengths [B] → out [B, Hq, Sq, D]; D is 64 or 128. Pages of any size are
read where they lie. The picture, the data's way and the resources: cuda_split_kv/split_kv.cu.
Option ``splits``: how many; 0 takes what fills this GPU. Not yet run on a GPU.
"""

import ctypes

import torch

LAYOUT = "BHSD"
CUDA = {"sources": ["split_kv.cu"], "architectures": ["80", "90"]}
library = None  # the harness puts a function here: library(device) builds and loads
ALL = 1 << 30
"""A window's edge beyond every token."""
POINTERS = ("q", "k", "v", "out", "partial", "lse", "lengths", "table")
NUMBERS = ("batch", "heads_q", "heads_kv", "seq_q", "seq_k", "dim")
MORE = ("page", "left", "right", "splits", "bf16")


class Arguments(ctypes.Structure):
    """``Decode`` of cuda_split_kv/cache.cuh."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in POINTERS),
        *((name, ctypes.c_int) for name in NUMBERS + MORE),
        ("scale", ctypes.c_float),
    ]


def build(problem, device, options):
    """A function from q and the cache to out; the number of splits is chosen here."""
    p, built = problem, library(device)
    launch = built.launcher("split_kv_forward")
    splits = options["splits"]
    if not splits:
        sizes = (p.head_dim_qk, p.batch, p.heads_q, p.heads_kv, p.seq_q)
        longest = p.seq_k if p.window_left is None else min(p.seq_k, p.window_left + p.seq_q)
        splits = built.number("split_count", *sizes, longest)
        if splits < 0:
            raise RuntimeError(f"CUDA error {-splits}: {built.error_text(-splits)}")
    left = ALL if p.window_left is None else p.window_left
    known = (
        *(p.batch, p.heads_q, p.heads_kv, p.seq_q, p.seq_k, p.head_dim_qk),
        *(p.page_size, left, 0 if p.causal else ALL, splits, p.dtype == "bf16", p.effective_scale),
    )
    rows = (splits, p.batch, p.heads_q, p.seq_q)

    def decode(inputs):
        q, k, v = (inputs[name].contiguous() for name in ("q", "k_cache", "v_cache"))
        out, partial, lse = torch.empty_like(q), None, None
        if splits > 1:
            partial = torch.empty((*rows, q.shape[-1]), dtype=torch.float32, device=q.device)
            lse = torch.empty(rows, dtype=torch.float32, device=q.device)
        tensors = (q, k, v, out, partial, lse, inputs["lengths"], inputs.get("page_table"))
        launch(Arguments(*(0 if t is None else t.data_ptr() for t in tensors), *known))
        return out

    return decode
