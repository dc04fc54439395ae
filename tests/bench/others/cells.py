"""The twelve CPU cells that every tool measures: SDPA math and flash, 8 heads of 64."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

BACKENDS = {"math": SDPBackend.MATH, "flash": SDPBackend.FLASH_ATTENTION}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
CELLS = list(itertools.product(BACKENDS, (256, 512, 1024), DTYPES))


def call_of(backend: str, length: int, dtype: str) -> Callable[[], torch.Tensor]:
    """One forward call on inputs drawn once."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 8, length, 64).to(DTYPES[dtype]) for _ in range(3))

    def call() -> torch.Tensor:
        with sdpa_kernel(BACKENDS[backend]):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v)

    return call
