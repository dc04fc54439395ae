"""A kernel's output before any of it is compared: there, of the right shape and type, finite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.operators.base import WrongOutput


def checked(
    outputs: Mapping[str, Tensor],
    name: str,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    layout: str,
) -> Tensor:
    """``outputs[name]``, detached. Raises WrongOutput, saying what is wrong with it.

    It must have ``shape``, which is the native one in ``layout``, and ``dtype``, and be finite
    everywhere: outside of what an oracle looks at too.
    """
    tensor = outputs.get(name)
    if not isinstance(tensor, Tensor):
        raise WrongOutput(f"no output {name}")
    if tuple(tensor.shape) != shape:
        raise WrongOutput(f"{name} has shape {tuple(tensor.shape)}, not {shape} ({layout})")
    if tensor.dtype is not dtype:
        raise WrongOutput(f"{name} has dtype {tensor.dtype}, not {dtype}")
    bad = int((~torch.isfinite(tensor.detach())).sum())
    if bad:
        raise WrongOutput(f"{name} holds {bad} NaN or infinite of {tensor.numel()} values")
    return tensor.detach()


def numbers(picked: Tensor) -> NDArray[Any]:
    """As float32 or float64, on the host."""
    return picked.to(torch.promote_types(picked.dtype, torch.float32)).cpu().numpy()
