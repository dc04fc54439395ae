"""Small inputs kept between the kernels of one problem: drawing them costs more than copying them.

Only for problems whose inputs are small, where a job's own work is short and drawing would be most
of what the harness adds to it. Kept as ``bytes``, which no kernel can write to: the next kernel
gets the values that the oracle had, whatever the last one did.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.model import Problem
from harness.operators import reference

KEPT_BYTES = 16 << 20
"""Of all inputs of one problem together: larger ones are drawn anew for every kernel."""


@dataclass(frozen=True)
class _Kept:
    data: bytes
    dtype: torch.dtype
    shape: torch.Size
    requires_grad: bool

    @classmethod
    def of(cls, tensor: Tensor) -> _Kept:
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return cls(data, tensor.dtype, tensor.shape, tensor.requires_grad)

    def tensor(self, device: torch.device) -> Tensor:
        flat = torch.frombuffer(bytearray(self.data), dtype=self.dtype)
        return flat.reshape(self.shape).to(device).requires_grad_(self.requires_grad)


class DrawnInputs:
    """The inputs of the problem measured last, by seed and layout."""

    def __init__(self) -> None:
        self._problem = ""
        self._kept: dict[tuple[int, str], dict[str, _Kept]] = {}

    def of(
        self, problem: Problem, seed: int, device: torch.device, layout: str
    ) -> dict[str, Tensor]:
        """As the operator's ``make_inputs``: tensors of the caller's own, on ``device``."""
        if problem.key != self._problem:
            self._problem, self._kept = problem.key, {}
        kept = self._kept.get((seed, layout))
        if kept is not None:
            return {name: one.tensor(device) for name, one in kept.items()}
        made = reference(problem.operator).make_inputs(problem, seed, device, layout)
        size = sum(t.numel() * t.element_size() for t in made.values())
        whole = all(t.is_contiguous() and t.numel() for t in made.values())
        if whole and size <= KEPT_BYTES:
            self._kept[seed, layout] = {name: _Kept.of(t) for name, t in made.items()}
        return made
