"""Seeded N(0,1) inputs: the same values on every device, in every layout and process.

Each (tensor, sequence, head) is drawn from a stream of its own, so the oracle can draw the few
heads that it samples without the rest. numpy draws, not torch: torch's normal_ takes another path
on a CPU without AVX2 and gives other last bits there. N(0,1) and never zeros: zeros draw less
power and run faster (FIELD.md §1).
"""

from __future__ import annotations

import os
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from harness.errors import InvalidProblem

LAYOUTS = ("BHSD", "BSHD")
"""Batch, heads, sequence, head dim; or sequence before heads."""

TORCH_DTYPES = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
"""torch's type for a problem's dtype."""

_WORTH_THREADS = 1 << 20  # elements; below it starting threads costs more than they save


def draw_head(seed: int, name: str, index: tuple[int, int], shape: tuple[int, int]) -> torch.Tensor:
    """N(0,1) fp32 [rows, dim] of head ``index`` = (sequence, head) of the tensor ``name``."""
    entropy = (seed & (2**64 - 1), zlib.crc32(name.encode()), *index)
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))
    out = torch.empty(shape)
    rng.standard_normal(out=out.numpy(), dtype=np.float32)
    return out


def as_bhsd(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    """A view [batch, heads, sequence, head dim] of a tensor in ``layout``."""
    if layout not in LAYOUTS:
        raise InvalidProblem(f"layout {layout!r} is not one of {', '.join(LAYOUTS)}")
    return tensor if layout == "BHSD" else tensor.transpose(1, 2)


def native_shape(shape: tuple[int, int, int, int], layout: str) -> tuple[int, ...]:
    """The shape in ``layout`` of what is ``shape`` in BHSD."""
    b, h, s, d = shape
    return (b, h, s, d) if layout == "BHSD" else (b, s, h, d)


def draw(
    seed: int, name: str, shape: tuple[int, int, int, int], dtype: torch.dtype, layout: str
) -> torch.Tensor:
    """N(0,1) on the CPU, contiguous in ``layout``; ``shape`` is [batch, heads, sequence, dim]."""
    batch, heads, rows, dim = shape
    out = torch.empty(native_shape(shape, layout), dtype=dtype)
    view = as_bhsd(out, layout)

    def fill(index: tuple[int, int]) -> None:
        view[index].copy_(draw_head(seed, name, index, (rows, dim)))

    indices = [(b, h) for b in range(batch) for h in range(heads)]
    threads = len(os.sched_getaffinity(0))
    if out.numel() < _WORTH_THREADS or threads == 1 or len(indices) == 1:
        for index in indices:
            fill(index)
    else:  # drawing releases the GIL
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, indices))
    return out
