"""Seeded N(0,1) inputs: the same values on every device, in every layout and process.

Each (tensor, sequence, head) is drawn from a stream of its own, so the oracle can draw the few
heads that it samples without the rest. numpy draws, not torch: torch's normal_ takes another path
on a CPU without AVX2 and gives other last bits there. N(0,1) and never zeros: zeros draw less
power and run faster (FIELD.md §1).
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from harness.errors import InvalidProblem

LAYOUTS = ("BHSD", "BSHD", "THD")
"""Batch, heads, sequence, head dim; sequence before heads; or the actual tokens of all sequences
one after another, packed, then heads and head dim."""

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
    """A view [batch, heads, sequence, head dim] of a tensor in ``layout``, which isn't packed."""
    if layout not in LAYOUTS:
        raise InvalidProblem(f"layout {layout!r} is not one of {', '.join(LAYOUTS)}")
    if layout == "THD":
        raise InvalidProblem("layout THD is packed: this operator has no packed inputs")
    return tensor if layout == "BHSD" else tensor.transpose(1, 2)


def native_shape(
    shape: tuple[int, int, int, int], layout: str, lengths: Sequence[int] | None = None
) -> tuple[int, ...]:
    """The shape in ``layout`` of what is ``shape`` in BHSD; packed, ``lengths`` tokens of it."""
    b, h, s, d = shape
    if layout == "THD":
        return (b * s if lengths is None else sum(lengths), h, d)
    return (b, h, s, d) if layout == "BHSD" else (b, s, h, d)


def packed(tensor: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """[batch, heads, sequence, dim] to [tokens, heads, dim]: the actual tokens, one copy."""
    pieces = [sequence[:, :n].transpose(0, 1) for sequence, n in zip(tensor, lengths, strict=True)]
    return torch.cat(pieces)


def of_sequence(
    tensor: torch.Tensor, layout: str, lengths: Sequence[int], sequence: int
) -> torch.Tensor:
    """A view [heads, its actual tokens, dim] of one sequence of a tensor in any layout."""
    tokens = lengths[sequence]
    if layout == "THD":
        start = sum(lengths[:sequence])
        return tensor[start : start + tokens].transpose(0, 1)
    return as_bhsd(tensor, layout)[sequence, :, :tokens]


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
