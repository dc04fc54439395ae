"""FlashInfer's wrappers by their docstrings: planned with lengths and pages, run on tensors.

"NHD": [tokens, heads, dim] and pages [pages, page_size, heads, dim]; causal from the bottom right;
``window_left`` keys beside the own position, −1 for no bound, no bound on the right.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from tests.kernels.libraries.softmax import attend, beside, windowed


def one(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, window_left: int, soft_cap: float | None,
    scale: float | None,
) -> Tensor:  # fmt: skip
    """q [Sq, Hq, D], k and v [Sk, Hkv, D] → [Sq, Hq, D]."""
    left = None if window_left == -1 else window_left
    seen = windowed(beside(len(q), len(k), "bottom right"), left, 0 if causal else None)
    hsd = (t.transpose(0, 1) for t in (q, k, v))
    default = q.shape[-1] ** -0.5
    out = attend(*hsd, seen, default if scale is None else scale, soft_cap or 0.0)
    return out.transpose(0, 1)


def wrapper(self: Any, float_workspace_buffer: Tensor, kv_layout: str) -> None:
    """A workspace on the device."""
    assert float_workspace_buffer.dtype is torch.uint8
    assert kv_layout == "NHD"


def ragged_plan(
    self: Any, qo_indptr: Tensor, kv_indptr: Tensor, num_qo_heads: int, num_kv_heads: int,
    head_dim_qk: int, causal: bool, window_left: int, logits_soft_cap: float | None,
    sm_scale: float | None, q_data_type: Any,
) -> None:  # fmt: skip
    """Lengths as offsets, int32."""
    assert qo_indptr.dtype is kv_indptr.dtype is torch.int32
    self.offsets = (qo_indptr.tolist(), kv_indptr.tolist())
    self.shape = (num_qo_heads, num_kv_heads, head_dim_qk, q_data_type)
    self.mask = (causal, window_left, logits_soft_cap, sm_scale)


def ragged_run(self: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """As planned."""
    assert (q.shape[1], k.shape[1], q.shape[2], q.dtype) == self.shape
    spans = zip(*(pairwise(offsets) for offsets in self.offsets), strict=True)
    return torch.cat([one(q[a:b], k[c:d], v[c:d], *self.mask) for (a, b), (c, d) in spans])


def paged_plan(
    self: Any, qo_indptr: Tensor, paged_kv_indptr: Tensor, paged_kv_indices: Tensor,
    paged_kv_last_page_len: Tensor, num_qo_heads: int, num_kv_heads: int, head_dim_qk: int,
    page_size: int, causal: bool, window_left: int, logits_soft_cap: float | None,
    sm_scale: float | None, q_data_type: Any,
) -> None:  # fmt: skip
    """The pages of all sequences in one list; a last page holds 1 to page_size tokens."""
    given = (qo_indptr, paged_kv_indptr, paged_kv_indices, paged_kv_last_page_len)
    assert all(t.dtype is torch.int32 for t in given)
    assert 1 <= int(paged_kv_last_page_len.min()) <= int(paged_kv_last_page_len.max()) <= page_size
    self.q_offsets, begins, pages, last = (t.tolist() for t in given)
    self.pages = [pages[a:b] for a, b in pairwise(begins)]
    self.lengths = [(len(p) - 1) * page_size + n for p, n in zip(self.pages, last, strict=True)]
    self.shape = (num_qo_heads, num_kv_heads, head_dim_qk, page_size, q_data_type)
    self.mask = (causal, window_left, logits_soft_cap, sm_scale)


def paged_run(self: Any, q: Tensor, paged_kv_cache: tuple[Tensor, Tensor]) -> Tensor:
    """As planned."""
    keys, values = paged_kv_cache
    assert (q.shape[1], keys.shape[2], q.shape[2], keys.shape[1], q.dtype) == self.shape
    outs = []
    for n, (a, b) in enumerate(pairwise(self.q_offsets)):
        k, v = (c[self.pages[n]].flatten(0, 1)[: self.lengths[n]] for c in (keys, values))
        outs.append(one(q[a:b], k, v, *self.mask))
    return torch.cat(outs)


def mla_wrapper(self: Any, float_workspace_buffer: Tensor) -> None:
    """A workspace on the device."""
    assert float_workspace_buffer.dtype is torch.uint8


def mla_plan(
    self: Any, qo_indptr: Tensor, kv_indptr: Tensor, kv_indices: Tensor, kv_len_arr: Tensor,
    num_heads: int, head_dim_ckv: int, head_dim_kpe: int, page_size: int, causal: bool,
    sm_scale: float, q_data_type: Any, kv_data_type: Any,
) -> None:  # fmt: skip
    """Pages in one list and lengths in tokens; the flat form declares split inputs."""
    given = (qo_indptr, kv_indptr, kv_indices, kv_len_arr)
    assert all(t.dtype is torch.int32 for t in given)
    assert q_data_type is kv_data_type
    self.q_offsets, begins, pages, self.lengths = (t.tolist() for t in given)
    self.pages = [pages[a:b] for a, b in pairwise(begins)]
    self.shape = (num_heads, head_dim_ckv, head_dim_kpe, page_size)
    self.mask = (causal, -1, None, sm_scale)


def mla_run(self: Any, query: tuple[Tensor, Tensor], kv_cache: tuple[Tensor, Tensor]) -> Tensor:
    """query [tokens, H, 512 | 64], kv_cache [pages, page_size, 512 | 64]; values: the latents."""
    (q_nope, q_pe), (latent, rotated) = query, kv_cache
    assert (*q_nope.shape[1:], q_pe.shape[-1], latent.shape[1]) == self.shape
    q, entries = torch.cat([q_nope, q_pe], -1), torch.cat([latent, rotated], -1)
    outs = []
    for n, (a, b) in enumerate(pairwise(self.q_offsets)):
        k = entries[self.pages[n]].flatten(0, 1)[: self.lengths[n], None]
        outs.append(one(q[a:b], k, k[..., : q_nope.shape[-1]], *self.mask))
    return torch.cat(outs)


FLASHINFER: dict[str, Callable[..., Any]] = {
    f"flashinfer.{name}.{method}": meaning
    for name, meanings in {
        "BatchPrefillWithRaggedKVCacheWrapper": (wrapper, ragged_plan, ragged_run),
        "BatchPrefillWithPagedKVCacheWrapper": (wrapper, paged_plan, paged_run),
        "BatchMLAPagedAttentionWrapper": (mla_wrapper, mla_plan, mla_run),
    }.items()
    for method, meaning in zip(("__init__", "plan", "run"), meanings, strict=True)
}
