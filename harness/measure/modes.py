"""Modes: what one sample is. Modes are never mixed in one series."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import MeasureError
from harness.measure.device import Call, MeasuredDevice

HOT_SAMPLE_MS = 1.0
"""A hot sample batches calls to at least this long, so that clock resolution doesn't show."""
HOT_MAX_CALLS = 10_000


@dataclass(frozen=True)
class Mode:
    """How one sample is taken."""

    name: str
    """As in Timing.mode."""
    calls: int
    """Calls in a sample; the sample is their mean."""
    sample: Callable[[], float]
    """Take one sample, ms a call."""


def open_mode(name: str, device: MeasuredDevice, call: Call, warm_ms: float) -> Mode:
    """The mode ``name`` for a call that takes about ``warm_ms`` once warm.

    cold: caches flushed before each call, one call a sample. hot: batches of calls back to back.
    Raises MeasureError for a name it doesn't know.
    """
    if name == "cold":

        def cold() -> float:
            device.flush_caches()
            return device.time_one(call)

        return Mode(name, 1, cold)
    if name == "hot":
        calls = min(HOT_MAX_CALLS, max(1, math.ceil(HOT_SAMPLE_MS / max(warm_ms, 1e-6))))
        return Mode(name, calls, lambda: device.time_batch(call, calls))
    raise MeasureError(f"no mode {name!r} on {device.torch_device.type}; there are cold and hot")
