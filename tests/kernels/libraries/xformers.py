"""xformers' memory_efficient_attention and its masks, by their docstrings: BMHK, one head each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.kernels.libraries.softmax import attend, beside, windowed

MASKS = "xformers.ops.fmha.attn_bias"


def causal(self: Any) -> None:
    """Aligned to the bottom right."""
    self.sides = (None, 0)


def causal_local(self: Any, _window_size: int) -> None:
    """The window counts the own position."""
    assert _window_size > 0
    self.sides = (_window_size - 1, 0)


def local(self: Any, window_left: int, window_right: int) -> None:
    """Keys to either side, the own position beside them."""
    assert min(window_left, window_right) >= 0
    self.sides = (window_left, window_right)


def memory_efficient_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_bias: Any, scale: float | None
) -> Tensor:
    """query [B, M, H, K], key and value [B, N, H, K]; a row without a key is undefined."""
    assert query.dtype in (torch.float16, torch.bfloat16)
    assert query.shape[2] == key.shape[2]
    ahead = beside(query.shape[1], key.shape[1], "bottom right")
    seen = windowed(ahead, *(attn_bias.sides if attn_bias is not None else (None, None)))
    assert bool(seen.any(-1).all())
    bhsd = (t.transpose(1, 2) for t in (query, key, value))
    default = query.shape[-1] ** -0.5
    return attend(*bhsd, seen, default if scale is None else scale).transpose(1, 2)


XFORMERS: dict[str, Callable[..., Any]] = {
    "xformers.ops.memory_efficient_attention": memory_efficient_attention,
    f"{MASKS}.LowerTriangularFromBottomRightMask.__init__": causal,
    f"{MASKS}.LocalAttentionFromBottomRightMask.__init__": local,
    f"{MASKS}.LowerTriangularFromBottomRightLocalAttentionMask.__init__": causal_local,
}
