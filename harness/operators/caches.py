"""KV caches as tensors: contiguous or paged, plain or quantised, of seeded N(0,1) tokens.

    contiguous   [B, Hkv, Sk, dim]               a sequence's tokens, then what must not be read
    paged        [pages, Hkv, page_size, dim]    pages shuffled; ``page_table`` [B, Sk / page_size]

(In layout BSHD the token axis stands before the heads.) A quantised cache holds x·R/4.5 of
x ~ N(0,1), clipped at ±4.5, with R the largest number of its type; ``<name>_scale`` [Hkv] fp32
times what is stored is the value. Scales differ by head, so a kernel that confuses them is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from harness.model import Problem
from harness.operators.inputs import TORCH_DTYPES, as_bhsd, draw_head, native_shape

QUANTISED = {"int8": (torch.int8, 127.0), "fp8_e4m3": (torch.float8_e4m3fn, 448.0)}
"""torch's type of a quantised cache and the largest number it holds."""
REACH = 4.5
"""Where N(0,1) is clipped before it is quantised."""

_WORTH_THREADS = 1 << 20  # elements


def streams(problem: Problem) -> dict[str, int]:
    """What a cache holds of a token, by name: elements a key/value head."""
    if problem.operator == "mla":  # keys and values are one latent and the rotated part
        return {"kv": problem.head_dim_qk}
    return {"k": problem.head_dim_qk, "v": problem.head_dim_v}


def cache_inputs(
    problem: Problem, seed: int, device: torch.device, layout: str
) -> dict[str, Tensor]:
    """``<stream>_cache`` of each stream, ``lengths``, and where they apply scales and page table.

    ``lengths`` [B] and ``page_table`` are int32; a table's entries beyond a sequence's pages are 0,
    a page that is another sequence's.
    """
    p, table = problem, problem.page_table
    out: dict[str, Tensor] = {}
    for name, dim in streams(p).items():
        if table is None:
            shape = (p.batch, p.heads_kv, p.seq_k, dim)
        else:
            shape = (sum(map(len, table)), p.heads_kv, p.page_size, dim)
        dtype = QUANTISED[p.kv_dtype][0] if p.kv_dtype else TORCH_DTYPES[p.dtype]
        cache = torch.empty(native_shape(shape, layout), dtype=dtype)
        view = as_bhsd(cache, layout)

        def fill(b: int, h: int, name: str = name, view: Tensor = view) -> None:
            rows = stored_rows(p, seed, name, b, h)
            if table is None:
                view[b, h].copy_(rows)
                return
            for at, page in enumerate(table[b]):
                view[page, h].copy_(rows[at * p.page_size : (at + 1) * p.page_size])

        _each(fill, p.batch, p.heads_kv, cache.numel())
        out[f"{name}_cache"] = cache.to(device)
        if p.kv_dtype:
            out[f"{name}_scale"] = head_scales(p, seed, name).to(device)
    out["lengths"] = torch.tensor(p.lengths_k, dtype=torch.int32, device=device)
    if table is not None:
        longest = p.seq_k // p.page_size
        padded = [[*pages, *[0] * (longest - len(pages))] for pages in table]
        out["page_table"] = torch.tensor(padded, dtype=torch.int32, device=device)
    return out


def stored_rows(problem: Problem, seed: int, name: str, sequence: int, head: int) -> Tensor:
    """[Sk, dim] as the cache stores them; tokens past the sequence's length must not be read."""
    x = draw_head(seed, name, (sequence, head), (problem.seq_k, streams(problem)[name]))
    if not problem.kv_dtype:
        return x.to(TORCH_DTYPES[problem.dtype])
    dtype, largest = QUANTISED[problem.kv_dtype]
    x = x.mul_(largest / REACH).clamp_(-largest, largest)
    return x.round_().to(dtype) if dtype is torch.int8 else x.to(dtype)


def head_scales(problem: Problem, seed: int, name: str) -> Tensor:
    """[Hkv] fp32: the factor of each head's stored values, from half to twice the usual one."""
    _, largest = QUANTISED[problem.kv_dtype]
    magnitudes = [
        float(draw_head(seed, f"{name}_scale", (0, head), (1, 1)).clamp_(-1, 1).exp2_())
        for head in range(problem.heads_kv)
    ]
    return torch.tensor(magnitudes) * (REACH / largest)


def token_rows(problem: Problem, seed: int, name: str, sequence: int, head: int) -> Tensor:
    """[length, dim] fp64: the exact values of a sequence's cached tokens, dequantised."""
    rows = stored_rows(problem, seed, name, sequence, head)[: problem.lengths_k[sequence]]
    exact = rows.to(torch.float64)
    if problem.kv_dtype:
        exact *= head_scales(problem, seed, name)[head].double()
    return exact


def _each(fill: Callable[[int, int], None], batch: int, heads: int, elements: int) -> None:
    """Call ``fill`` for every (sequence, head), in threads if it pays: drawing frees the GIL."""
    indices = [(b, h) for b in range(batch) for h in range(heads)]
    threads = len(os.sched_getaffinity(0))
    if elements < _WORTH_THREADS or threads == 1 or len(indices) == 1:
        for index in indices:
            fill(*index)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda index: fill(*index), indices))
