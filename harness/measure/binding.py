"""One direction of one kernel on one set of inputs, as a call without arguments.

The inputs live at fixed addresses and get new values before every sample (``refresh``), so a
kernel that keeps an earlier answer returns a wrong one. For ``backward`` a refresh also runs the
forward pass, untimed; the timed call is the backward pass alone (never a difference of two times).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from harness.measure.hygiene import own_copies
from harness.operators.base import WrongOutput

Fn = Callable[[dict[str, Tensor]], Any]


class Binding:
    """A kernel's ``fn`` bound to its inputs and a direction.

    ``inputs`` are tensors in the kernel's native layout; for directions other than forward they
    include ``grad_out``, and those named in ``differentiable`` require grad.
    """

    def __init__(
        self,
        fn: Fn,
        inputs: dict[str, Tensor],
        direction: str,
        differentiable: Sequence[str],
    ) -> None:
        self._fn = fn
        self.inputs = inputs
        self._direction = direction
        self._names = tuple(name for name in differentiable if name in inputs)
        self._leaves = [inputs[name] for name in self._names]
        self._arguments: dict[str, Tensor] = {}
        self._graph: Tensor | None = None

    def copy(self) -> Binding:
        """The same on inputs of its own, with the same values."""
        inputs = own_copies(self.inputs)
        made = Binding(self._fn, inputs, self._direction, self._names)
        made.prepare()
        return made

    @property
    def input_bytes(self) -> int:
        """What its inputs take."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.inputs.values())

    def refresh(self, values: Mapping[str, Tensor]) -> None:
        """Copy new values into the inputs; for backward, run the forward pass on them."""
        with torch.no_grad():
            for name, tensor in self.inputs.items():
                tensor.copy_(values[name])
        self.prepare()

    def prepare(self) -> None:
        """Fresh arguments for the call; for backward, the forward pass whose graph it walks."""
        self._arguments = {name: t for name, t in self.inputs.items() if name != "grad_out"}
        if self._direction == "backward":
            self._graph = None
            self._graph = _single(self._fn(self._arguments))

    def call(self) -> Any:
        """What is timed, nothing around it. Raw outputs; ``named`` gives them their names.

        Gradient mode is the caller's: on for backward directions, off for forward.
        """
        if self._direction == "forward":
            return self._fn(self._arguments)
        if self._direction == "backward":
            return self._gradients(self._graph)
        out = _single(self._fn(self._arguments))
        return (out, *self._gradients(out))

    def _gradients(self, out: Tensor | None) -> tuple[Tensor, ...]:
        if out is None:
            raise RuntimeError("backward was called before refresh or prepare")
        if not out.requires_grad:
            raise WrongOutput("its output has no gradient, though it claims this direction")
        return torch.autograd.grad(out, self._leaves, self.inputs["grad_out"], retain_graph=True)

    def named(self, raw: Any) -> dict[str, Tensor]:
        """Outputs by name: out; dq, dk, dv …; or both."""
        gradients = tuple(f"d{name}" for name in self._names)
        if self._direction == "forward":
            if isinstance(raw, dict):
                return {str(name): _single(tensor) for name, tensor in raw.items()}
            return {"out": _single(raw)}
        names = gradients if self._direction == "backward" else ("out", *gradients)
        return dict(zip(names, raw, strict=True))


def _single(raw: Any) -> Tensor:
    if not isinstance(raw, Tensor):
        raise WrongOutput(f"it returned {type(raw).__name__}, not a tensor")
    if type(raw) is not Tensor:  # a subclass can put its work off until somebody reads it
        raise WrongOutput(f"it returned {type(raw).__name__}, a subclass, not a plain tensor")
    return raw
