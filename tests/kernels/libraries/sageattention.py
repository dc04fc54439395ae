"""SageAttention's sageattn, by its docstring and core.py: HND or NHD, k loses its mean in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.kernels.libraries.softmax import attend, beside, windowed


def sageattn(
    q: Tensor, k: Tensor, v: Tensor, tensor_layout: str, is_causal: bool, sm_scale: float | None
) -> Tensor:
    """Causal "only applicable when qo_len == kv_len"; the mean of k is taken off the caller's k."""
    assert q.dtype in (torch.float16, torch.bfloat16, torch.float32)
    assert q.shape[-1] in (64, 96, 128)
    tokens = 2 if tensor_layout == "HND" else 1
    k -= k.mean(tokens, keepdim=True)
    turned = [t if tokens == 2 else t.transpose(1, 2) for t in (q, k, v)]
    rows, keys = turned[0].shape[2], turned[1].shape[2]
    assert rows == keys or not is_causal
    assert keys % 64 == 0  # else the last block's empty columns count
    seen = windowed(beside(rows, keys, "top left"), None, 0 if is_causal else None)
    scale = q.shape[-1] ** -0.5 if sm_scale is None else sm_scale
    out = attend(*turned, seen, scale)
    return out if tokens == 2 else out.transpose(1, 2)


SAGE: dict[str, Callable[..., Any]] = {"sageattention.sageattn": sageattn}
