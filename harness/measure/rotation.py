"""The input sets of a series: one, or as many as a graph has calls, each call on its own.

A graph replays the same addresses. Were its calls to share their inputs, all but the first would
find them in the cache; so each call has a copy (flashinfer#4468).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from harness.measure.binding import Binding
from harness.measure.device import Call

Values = Mapping[str, Tensor]


class Rotation:
    """A binding and ``copies`` of it. The last call of a round is always that of the original."""

    def __init__(self, binding: Binding, copies: int, choose: random.Random) -> None:
        self._bindings = [*(binding.copy() for _ in range(copies)), binding]
        self._outputs: list[Any] = [None] * len(self._bindings)
        self._choose = choose
        self.calls: list[Call] = [self._call(at) for at in range(len(self._bindings))]
        """One call on each input set, in order; each keeps what it returned."""
        self.last_values = 0
        """Which value set the original's inputs hold."""

    def _call(self, at: int) -> Call:
        binding, outputs = self._bindings[at], self._outputs

        def call() -> None:
            outputs[at] = binding.call()

        return call

    @property
    def last_raw(self) -> Any:
        """What the original's last call returned."""
        return self._outputs[-1]

    def refresh(self, value_sets: Sequence[Values], *, keep_outputs: bool) -> None:
        """New values, drawn at random, in every input set; old outputs are let go unless kept.

        A captured graph writes to the outputs of its capture for ever: they must be kept.
        """
        if not keep_outputs:
            self._outputs[:] = [None] * len(self._outputs)
        for binding in self._bindings:
            self.last_values = self._choose.randrange(len(value_sets))
            binding.refresh(value_sets[self.last_values])
