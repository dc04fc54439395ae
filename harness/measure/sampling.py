"""The sampling loop: samples in order, why it stopped, and what was remarkable about them."""

from __future__ import annotations

import gc
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from harness.measure.binding import Binding
from harness.measure.clock import Stopwatch
from harness.measure.device import MeasuredDevice
from harness.measure.modes import graph_calls, open_mode
from harness.measure.rotation import Rotation
from harness.measure.shape import remarks
from harness.measure.state import StateLog
from harness.measure.stop import INTERVAL_SAMPLES, StopRule
from harness.measure.warmup import warm_up
from harness.model import Timing

Values = Mapping[str, Tensor]

LATE_SHARE = 0.1
"""Of the samples: with more late launches than this, the host's speed is in the median."""


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
    flags: tuple[str, ...] = ()
    """Remarks on its quality."""
    conditions: dict[str, float | str] = field(default_factory=dict)
    """How the device was meanwhile."""


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
    rotation = Rotation(binding, 0, choose)
    warm = warm_up(rotation.calls[0], device, timing.warmup_s)
    graph = timing.mode == "graph"
    if graph:
        rotation.refresh(value_sets, keep_outputs=False)  # lets go of the last output
        copies = graph_calls(warm.warm_ms, binding.input_bytes, device.free_memory()) - 1
        rotation = Rotation(binding, copies, choose)
    mode = open_mode(timing.mode, device, rotation.calls[-1], warm.warm_ms, rotation.calls)
    rule = StopRule(timing)
    device.late_launches()  # those of the warm-up, which taught it how long launches take
    log = StateLog(device.read, device.max_clock_mhz())
    with _garbage_collector_off():
        loop = Stopwatch()
        reason = None
        while reason is None:
            rotation.refresh(value_sets, keep_outputs=graph)
            sample_ms = mode.sample()
            now_s = loop.s()
            log.sampled(now_s)
            reason = rule.add(sample_ms, now_s, mode.calls)
    log.end()
    samples = tuple(rule.samples_ms)
    remarkable = (
        ("few_samples", len(samples) < INTERVAL_SAMPLES),
        ("clock_unstable", not warm.stable),
        ("launch_bound", device.late_launches() > LATE_SHARE),
    )
    return Series(
        samples_ms=samples,
        calls_per_sample=mode.calls,
        stop_reason=reason,
        warmup_calls=warm.calls,
        last_raw=rotation.last_raw,
        last_values=rotation.last_values,
        flags=(
            *(name for name, holds in remarkable if holds),
            *log.flags(),
            *remarks(samples, timing.relative_ci),
        ),
        conditions=log.conditions(),
    )


class _garbage_collector_off:
    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.collect()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_on:
            gc.enable()
