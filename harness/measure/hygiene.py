"""Around a checked call: no luck from old memory, no changed inputs, no changed process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from harness.measure.tamper import differences, snapshot


class Tampered(Exception):
    """The kernel changed what it must leave alone."""


def poison(inputs: Mapping[str, Tensor]) -> None:
    """Fill and free blocks with NaN, so that memory a kernel forgets to write isn't old luck."""
    like = inputs["q"] if "q" in inputs else next(iter(inputs.values()))
    if like.is_floating_point():
        blocks = [torch.full_like(like, float("nan"), requires_grad=False) for _ in range(3)]
        del blocks


def must_be_unchanged(
    inputs: Mapping[str, Tensor], values: Mapping[str, Tensor], addresses: Mapping[str, int]
) -> None:
    """Raise Tampered where an input has other values or another address than it was given."""
    for name, tensor in inputs.items():
        if tensor.data_ptr() != addresses[name] or not torch.equal(tensor, values[name]):
            raise Tampered(f"it changed its input {name}")


def must_be_clean(before: dict[str, Any]) -> None:
    """Raise Tampered where the process's state isn't what the snapshot ``before`` says."""
    changed = differences(before, snapshot())
    if changed:
        raise Tampered("it changed the process's state: " + "; ".join(changed[:8]))


def own_copies(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values in memory of their own, requiring grad where they did."""
    return {
        name: tensor.detach().clone().requires_grad_(tensor.requires_grad)
        for name, tensor in values.items()
    }
