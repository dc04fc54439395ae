"""Problems of real sizes that our Triton kernels are compiled for, by kernel and by name."""

from __future__ import annotations

from typing import Any

from harness.model import Problem


def _attention(dim: int, **given: Any) -> Problem:
    fields: dict[str, Any] = {"direction": "forward_backward", "causal": True}
    return Problem(
        heads_q=32, heads_kv=8, seq_q=4096, seq_k=4096, head_dim_qk=dim, head_dim_v=dim,
        dtype="bf16", **fields | given,
    )  # fmt: skip


def _decode(dim: int, **given: Any) -> Problem:
    fields: dict[str, Any] = {"seq_q": 1, "cache": "contiguous", "dtype": "bf16"}
    return Problem(
        operator="decode", batch=8, heads_q=32, heads_kv=8, seq_k=4096, head_dim_qk=dim,
        head_dim_v=dim, causal=True, **fields | given,
    )  # fmt: skip


def _mla(**given: Any) -> Problem:
    """DeepSeek-V3's heads and widths."""
    fields: dict[str, Any] = {"seq_q": 1, "cache": "contiguous", "dtype": "bf16", "heads_q": 128}
    return Problem(
        operator="mla", batch=8, heads_kv=1, seq_k=4096, head_dim_qk=576, head_dim_v=512,
        causal=True, scale=192**-0.5, **fields | given,
    )  # fmt: skip


def _linear(dim: int, **given: Any) -> Problem:
    fields: dict[str, Any] = {"direction": "forward_backward", "causal": True, "head_dim_v": dim}
    return Problem(
        operator="linear_attention", heads_q=16, heads_kv=16, seq_q=2048, seq_k=2048,
        head_dim_qk=dim, dtype="bf16", **fields | given,
    )  # fmt: skip


PAGED: dict[str, Any] = {"cache": "paged", "page_size": 16}
WHOLE: dict[str, Any] = {"cache": "paged", "page_size": 64}
INT8: dict[str, Any] = {"kv_dtype": "int8", "dtype": "fp16"}
FULL: dict[str, Any] = {"softcap": 30.0, "window_left": 100}

CASES: dict[str, dict[str, Problem]] = {
    "triton_flash": {
        f"D{dim}{' and all' * bool(more)}": _attention(dim, **more)
        for dim in (64, 128, 256)
        for more in ({}, {**FULL, "sinks": True, "lengths": "uniform", "batch": 4})
    }
    | {"D128 forward": _attention(128, direction="forward")},
    "decode_triton": {
        f"D{dim} {name}": _decode(dim, **more)
        for dim in (64, 128, 256)
        for name, more in {
            "contiguous": {},
            "pages": PAGED,
            "whole tiles in a page": WHOLE,
            "int8": INT8,
            "int8 pages": PAGED | INT8,
            "16 tokens": {"seq_q": 16},  # 64 rows
            "16 tokens and all": {"seq_q": 16, **PAGED, **FULL},
            "8 tokens, int8 and all": {"seq_q": 8, **WHOLE, **INT8, **FULL},
        }.items()
    },
    "mla_triton": {
        "contiguous": _mla(),
        "pages": _mla(seq_q=2, **PAGED),
        "whole tiles in a page": _mla(**WHOLE),
        "int8": _mla(**INT8),
        "int8 pages": _mla(seq_q=2, **PAGED | INT8),
        "16 heads": _mla(heads_q=16, **WHOLE),
        "16 heads, int8": _mla(heads_q=16, **INT8),
    },
    "linear_triton": {
        **{f"D{dim}": _linear(dim) for dim in (16, 32, 64, 128)},
        "D64 forward": _linear(64, direction="forward"),
        **{f"D{dim} full": _linear(dim, causal=False) for dim in (64, 128)},
        "D64-128": _linear(64, head_dim_v=128),
        "D128-64": _linear(128, head_dim_v=64),
        "D40-24": _linear(40, head_dim_v=24),
    },
}
TESTED = [
    ("triton_flash", "D128", (80, 90)),
    ("triton_flash", "D128 forward", (100,)),
    ("decode_triton", "D128 contiguous", (80, 90, 100)),
    ("decode_triton", "D128 int8 pages", (80, 90, 100)),
    ("decode_triton", "D128 16 tokens and all", (80, 90)),
    ("mla_triton", "pages", (80, 90, 100)),
    ("mla_triton", "int8", (80,)),
    ("linear_triton", "D64", (90,)),
    ("linear_triton", "D64 forward", (80, 100)),
]
"""Those that a test compiles: each takes seconds where Triton has nothing in its cache."""
WIDE = {"forward", "attend", "backward_keys", "backward_rows", "outputs"}
"""Functions whose products have as many rows as the problem fills: wgmma takes 64 and more."""


def wide(problem: Problem) -> bool:
    """Whether the problem fills tiles of 64 rows, the least that wgmma takes."""
    if problem.operator == "mla" and problem.kv_dtype:  # whose tiles are smaller, on purpose
        return False
    return problem.seq_q * (problem.group if problem.cache else 1) >= 64
