"""Warm-up and the sampling loop: samples in order, and why it stopped."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from harness.measure.binding import Binding
from harness.measure.clock import Stopwatch
from harness.measure.device import MeasuredDevice
from harness.measure.modes import open_mode
from harness.measure.stop import StopRule
from harness.model import Timing

Values = Mapping[str, Tensor]


@dataclass(frozen=True)
class Series:
    """The samples of one job in one launch."""

    samples_ms: tuple[float, ...]
    """Time of a call, ms, in the order measured."""
    calls_per_sample: int
    """Calls that each sample is the mean of."""
    stop_reason: str
    """Which rule ended it."""
    warmup_calls: int
    """Calls made to warm up."""
    last_raw: Any
    """What the last timed call returned."""
    last_values: int
    """Which of the value sets its inputs held."""


def sample_series(
    binding: Binding,
    device: MeasuredDevice,
    timing: Timing,
    value_sets: Sequence[Values],
    seed: int,
) -> Series:
    """Warm up, then sample until the stop rule ends it.

    Before every sample the inputs are rewritten in place with one of ``value_sets``, drawn at
    random: the input tensors are never those of an earlier call in content *and* address, so
    neither a cache of outputs by address nor one by content serves a kernel for long. The garbage
    collector is off while samples are taken.
    """
    choose = random.Random(seed)
    last: list[Any] = [None]

    def call() -> None:
        last[0] = binding.call()

    warm_ms, warmup_calls = _warm_up(call, device, timing)
    mode = open_mode(timing.mode, device, call, warm_ms)
    rule = StopRule(timing)
    which = 0
    with _garbage_collector_off():
        loop = Stopwatch()
        reason = None
        while reason is None:
            which = choose.randrange(len(value_sets))
            last[0] = None
            binding.refresh(value_sets[which])
            reason = rule.add(mode.sample(), loop.s(), mode.calls)
    return Series(tuple(rule.samples_ms), mode.calls, reason, warmup_calls, last[0], which)


def _warm_up(call: Callable[[], None], device: MeasuredDevice, timing: Timing) -> tuple[float, int]:
    """Call for at least ``warmup_s``; the last call's time (ms) and how many there were."""
    watch, calls, warm_ms = Stopwatch(), 0, 0.0
    while calls == 0 or watch.s() < timing.warmup_s:
        warm_ms = device.time_one(call)
        calls += 1
    return warm_ms, calls


class _garbage_collector_off:
    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.collect()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_on:
            gc.enable()
