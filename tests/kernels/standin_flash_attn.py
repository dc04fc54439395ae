"""Stands in for the flash_attn package: its signatures and documented meaning, in plain torch.

flash_attn/flash_attn_interface.py of Dao-AILab/flash-attention: [B, S, H, D], grouped heads, causal
aligned to the bottom right, a window of (left, right) keys beside the own position, and rows that
see nothing give 0.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor


def flash_attn_func(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    alibi_slopes: Tensor | None = None,
    deterministic: bool = False,
    return_attn_probs: bool = False,
) -> Tensor:
    """q [B, Sq, Hq, D], k and v [B, Sk, Hkv, D] of one head dim → [B, Sq, Hq, D]."""
    assert q.dtype in (torch.float16, torch.bfloat16)
    assert q.shape[-1] == k.shape[-1] == v.shape[-1]
    assert not dropout_p
    assert alibi_slopes is None
    assert not return_attn_probs
    return attend(q, k, v, q.shape[1], softmax_scale, causal, window_size, softcap)


def attend(
    q: Tensor, k: Tensor, v: Tensor, corner: int, scale: float | None, causal: bool,
    window: tuple[int, int], softcap: float,
) -> Tensor:  # fmt: skip
    """The last key is at the position of query ``corner`` − 1: Sq is the bottom right."""
    group = q.shape[2] // k.shape[2]
    wide_q, wide_k, wide_v = (t.float().transpose(1, 2) for t in (q, k, v))
    wide_k, wide_v = (t.repeat_interleave(group, 1) for t in (wide_k, wide_v))
    scores = wide_q @ wide_k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    ahead = torch.arange(k.shape[1]) - (torch.arange(q.shape[1])[:, None] + k.shape[1] - corner)
    left, right = window
    hidden = torch.zeros_like(ahead, dtype=torch.bool)
    if left >= 0:
        hidden |= ahead < -left
    if causal or right >= 0:
        hidden |= ahead > (0 if causal else right)
    weights = scores.masked_fill(hidden, torch.finfo(torch.float32).min).softmax(-1)
    return (weights.masked_fill(hidden, 0) @ wide_v).transpose(1, 2).to(q.dtype)


def unused(*_: Any, **__: Any) -> Tensor:
    """What transformers imports beside it, and no problem here should come to."""
    raise AssertionError("transformers called another function of flash_attn")


def flash_attn_varlen_func(
    q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor, max_seqlen_q: int,
    max_seqlen_k: int, dropout_p: float = 0.0, softmax_scale: float | None = None,
    causal: bool = False, window_size: tuple[int, int] = (-1, -1), softcap: float = 0.0,
    alibi_slopes: Tensor | None = None, deterministic: bool = False,
    return_attn_probs: bool = False, block_table: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """transformers reads from its signature what the package can do, dense calls included."""
    return unused()


def install(monkeypatch: pytest.MonkeyPatch, function: Any = flash_attn_func) -> None:
    """Let transformers find ``function`` as flash-attn's, until the test ends."""
    from transformers import modeling_flash_attention_utils as flash

    package, padding = ModuleType("flash_attn"), ModuleType("flash_attn.bert_padding")
    package.__spec__ = ModuleSpec("flash_attn", None)
    package.__dict__.update(
        flash_attn_func=function,
        flash_attn_varlen_func=flash_attn_varlen_func,
        flash_attn_with_kvcache=unused,
    )
    padding.__dict__.update(pad_input=unused, unpad_input=unused)
    monkeypatch.setitem(sys.modules, "flash_attn", package)
    monkeypatch.setitem(sys.modules, "flash_attn.bert_padding", padding)
    monkeypatch.setattr(flash, "is_flash_attn_2_available", lambda: True)
    kept = [name for name in vars(flash) if name.startswith("_flash_") and name.endswith("fn")]
    kept += [name for name in vars(flash) if name.startswith("_process_") and name.endswith("_fn")]
    for name in ("_loaded_implementation", "_pad_fn", "_unpad_fn", *kept):
        monkeypatch.setattr(flash, name, None)
