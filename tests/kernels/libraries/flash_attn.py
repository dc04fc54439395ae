"""What flash-attn's functions mean, by the docstrings of generations 2, 3 and 4.

[B, S, H, D] or packed [T, H, D], grouped heads, causal and windows from the bottom right corner,
a window's ends included, −1 (generation 4: None) for no bound, scale 1/√d, ALiBi in fp32.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from tests.kernels.libraries.softmax import attend, beside, windowed

Window = tuple[int | None, int | None]


def one(
    q: Tensor, k: Tensor, v: Tensor, softmax_scale: float | None, causal: bool, window_size: Window,
    softcap: float, alibi_slopes: Tensor | None = None, sinks: Tensor | None = None,
    corner: str = "bottom right",
) -> Tensor:  # fmt: skip
    """q [..., Sq, Hq, D], k and v [..., Sk, Hkv, D] → [..., Sq, Hq, D]."""
    assert q.dtype in (torch.float16, torch.bfloat16)
    assert q.dtype is k.dtype is v.dtype
    assert all(t.stride(-1) == 1 for t in (q, k, v))
    scale = q.shape[-1] ** -0.5 if softmax_scale is None else softmax_scale
    ahead = beside(q.shape[-3], k.shape[-3], corner)
    left, right = (None if side in (None, -1) else side for side in window_size)
    seen = windowed(ahead, left, 0 if causal else right)
    bias = None
    if alibi_slopes is not None:
        assert alibi_slopes.dtype is torch.float32
        bias = -alibi_slopes.view(-1, 1, 1) * ahead.abs()
    bhsd = (t.transpose(-2, -3) for t in (q, k, v))
    return attend(*bhsd, seen, scale, softcap, bias, sinks).transpose(-2, -3)


def packed(
    q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor, max_seqlen_q: int,
    max_seqlen_k: int, **more: Any,
) -> Tensor:  # fmt: skip
    """q [Tq, Hq, D], k and v [Tk, Hkv, D] → [Tq, Hq, D]."""
    assert cu_seqlens_q.dtype is cu_seqlens_k.dtype is torch.int32
    assert max_seqlen_q == int(cu_seqlens_q.diff().max())
    assert max_seqlen_k == int(cu_seqlens_k.diff().max())
    spans = zip(pairwise(cu_seqlens_q.tolist()), pairwise(cu_seqlens_k.tolist()), strict=True)
    return torch.cat([one(q[a:b], k[c:d], v[c:d], **more) for (a, b), (c, d) in spans])


def cached(
    q: Tensor, k_cache: Tensor, v_cache: Tensor, lengths: Tensor, table: Tensor | None,
    page_multiple: int, **more: Any,
) -> Tensor:  # fmt: skip
    """q [B, Sq, Hq, D], caches [B, Sk, Hkv, D] or [pages, page, Hkv, D] → [B, Sq, Hq, D]."""
    assert lengths.dtype is torch.int32
    outs = []
    for b, length in enumerate(lengths.tolist()):
        if table is None:
            k, v = k_cache[b], v_cache[b]
        else:
            assert table.dtype is torch.int32
            assert k_cache.shape[1] % page_multiple == 0
            k, v = (cache[table[b].long()].flatten(0, 1) for cache in (k_cache, v_cache))
        outs.append(one(q[b], k[:length], v[:length], **more))
    return torch.stack(outs)


def generation_2(corner: str = "bottom right") -> dict[str, Callable[..., Any]]:
    """flash_attn 2.8."""

    def flash_attn_func(
        q: Tensor, k: Tensor, v: Tensor, softmax_scale: float | None, causal: bool,
        window_size: Window, softcap: float, alibi_slopes: Tensor | None,
    ) -> Tensor:  # fmt: skip
        assert q.shape[-1] == k.shape[-1] == v.shape[-1] <= 256
        more = (softmax_scale, causal, window_size, softcap, alibi_slopes)
        return one(q, k, v, *more, corner=corner)

    def flash_attn_varlen_func(
        q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor,
        max_seqlen_q: int, max_seqlen_k: int, softmax_scale: float | None, causal: bool,
        window_size: Window, softcap: float, alibi_slopes: Tensor | None,
    ) -> Tensor:  # fmt: skip
        return packed(
            q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k,
            softmax_scale=softmax_scale, causal=causal, window_size=window_size, softcap=softcap,
            alibi_slopes=alibi_slopes, corner=corner,
        )  # fmt: skip

    def flash_attn_with_kvcache(
        q: Tensor, k_cache: Tensor, v_cache: Tensor, cache_seqlens: Tensor,
        block_table: Tensor | None, softmax_scale: float | None, causal: bool, window_size: Window,
        softcap: float,
    ) -> Tensor:  # fmt: skip
        return cached(
            q, k_cache, v_cache, cache_seqlens, block_table, 256, softmax_scale=softmax_scale,
            causal=causal, window_size=window_size, softcap=softcap, corner=corner,
        )  # fmt: skip

    functions = (flash_attn_func, flash_attn_varlen_func, flash_attn_with_kvcache)
    return {f"flash_attn.{f.__name__}": f for f in functions}


def generation_3() -> dict[str, Callable[..., Any]]:
    """flash_attn_interface of hopper/."""

    def flash_attn_func(
        q: Tensor, k: Tensor, v: Tensor, softmax_scale: float | None, causal: bool,
        window_size: Window, softcap: float,
    ) -> Tensor:  # fmt: skip
        assert q.shape[-1] % 8 == 0
        return one(q, k, v, softmax_scale, causal, window_size, softcap)

    def flash_attn_varlen_func(
        q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor,
        max_seqlen_q: int, max_seqlen_k: int, softmax_scale: float | None, causal: bool,
        window_size: Window, softcap: float,
    ) -> Tensor:  # fmt: skip
        return packed(
            q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k,
            softmax_scale=softmax_scale, causal=causal, window_size=window_size, softcap=softcap,
        )  # fmt: skip

    def flash_attn_with_kvcache(
        q: Tensor, k_cache: Tensor, v_cache: Tensor, cache_seqlens: Tensor,
        page_table: Tensor | None, softmax_scale: float | None, causal: bool, window_size: Window,
        softcap: float,
    ) -> Tensor:  # fmt: skip
        return cached(
            q, k_cache, v_cache, cache_seqlens, page_table, 1, softmax_scale=softmax_scale,
            causal=causal, window_size=window_size, softcap=softcap,
        )  # fmt: skip

    functions = (flash_attn_func, flash_attn_varlen_func, flash_attn_with_kvcache)
    return {f"flash_attn_interface.{f.__name__}": f for f in functions}


def generation_4() -> dict[str, Callable[..., Any]]:
    """flash_attn.cute: a tuple of out and log-sum-exp, None for a side without a bound."""

    def flash_attn_func(
        q: Tensor, k: Tensor, v: Tensor, softmax_scale: float | None, causal: bool,
        window_size: Window, softcap: float, learnable_sink: Tensor | None,
    ) -> tuple[Tensor, None]:  # fmt: skip
        assert -1 not in window_size  # None is its word for it
        out = one(q, k, v, softmax_scale, causal, window_size, softcap, sinks=learnable_sink)
        return out, None

    def flash_attn_varlen_func(
        q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor,
        max_seqlen_q: int, max_seqlen_k: int, softmax_scale: float | None, causal: bool,
        window_size: Window, softcap: float, learnable_sink: Tensor | None,
    ) -> tuple[Tensor, None]:  # fmt: skip
        assert -1 not in window_size
        out = packed(
            q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k,
            softmax_scale=softmax_scale, causal=causal, window_size=window_size, softcap=softcap,
            sinks=learnable_sink,
        )  # fmt: skip
        return out, None

    return {
        "flash_attn.cute.flash_attn_func": flash_attn_func,
        "flash_attn.cute.flash_attn_varlen_func": flash_attn_varlen_func,
    }
