"""Modes: what one sample is. Modes are never mixed in one series.

Sources: nvbench (``cold``, ``hot``: measure_cold and measure_hot), triton ``do_bench_cudagraph``
(many calls in one graph), flashinfer#4468 (a graph that calls one input set again and again is
silently warm, so each call has its own here).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.errors import MeasureError
from harness.measure.device import Call, MeasuredDevice
from harness.model import MODES

HOT_SAMPLE_MS = 1.0
"""A hot sample batches calls to at least this long, so that clock resolution doesn't show."""
HOT_MAX_CALLS = 10_000
TRIALS = 3
"""Batches made untimed, to see that they are long enough."""
TRIAL_MARGIN = 1.25
SUSTAINED_SAMPLE_MS = 100.0
"""Long enough that what happens between two samples is no rest for the device."""
SUSTAINED_MAX_CALLS = 1_000_000
GRAPH_SAMPLE_MS = 1.0
"""A graph holds calls of about this long together, so that its own launch doesn't show."""
GRAPH_MAX_CALLS = 20
GRAPH_MEMORY_SHARE = 0.25
"""Of the free memory, for the input sets that a graph's calls rotate through."""


@dataclass(frozen=True)
class Mode:
    """How one sample is taken."""

    name: str
    """As in Timing.mode."""
    calls: int
    """Calls in a sample; the sample is their mean."""
    sample: Callable[[], float]
    """Take one sample, ms a call."""


def open_mode(
    name: str, device: MeasuredDevice, call: Call, warm_ms: float, rotated: Sequence[Call] = ()
) -> Mode:
    """The mode ``name`` for a call that takes about ``warm_ms`` once warm.

    ``rotated`` are the calls of a graph in order, each on inputs of its own; other modes need none.
    What each mode does stands at ``harness.model.timing.MODES``. Raises MeasureError for a name it
    doesn't know, or a mode that the device doesn't have.
    """
    if name == "cold":

        def cold() -> float:
            device.flush_caches()
            return device.time_one(call)

        return Mode(name, 1, cold)
    if name == "hot":
        calls = _calls(HOT_SAMPLE_MS, warm_ms, HOT_MAX_CALLS)
        calls = _filled(HOT_SAMPLE_MS, calls, HOT_MAX_CALLS, lambda n: device.time_batch(call, n))
        return Mode(name, calls, lambda: device.time_batch(call, calls))
    if name == "sustained":
        calls = _calls(SUSTAINED_SAMPLE_MS, warm_ms, SUSTAINED_MAX_CALLS)
        calls = _filled(
            SUSTAINED_SAMPLE_MS, calls, SUSTAINED_MAX_CALLS, lambda n: device.time_burst(call, n)
        )
        return Mode(name, calls, lambda: device.time_burst(call, calls))
    if name == "host":

        def host() -> float:
            device.flush_caches()
            return device.time_host(call)

        return Mode(name, 1, host)
    if name == "graph":
        replay = device.capture(rotated)

        def graph() -> float:
            device.flush_caches()
            return device.time_one(replay) / len(rotated)

        return Mode(name, len(rotated), graph)
    raise MeasureError(f"no mode {name!r}; there are {', '.join(MODES)}")


def _calls(sample_ms: float, warm_ms: float, most: int) -> int:
    return min(most, max(1, math.ceil(sample_ms / max(warm_ms, 1e-6))))


def _filled(sample_ms: float, calls: int, most: int, batch: Callable[[int], float]) -> int:
    """``calls``, or more where calls back to back are quicker than those that were warmed up with.

    ``batch`` makes that many and gives ms a call.
    """
    for _ in range(TRIALS):
        each_ms = batch(calls)
        if each_ms * calls >= sample_ms or calls >= most:
            break
        calls = max(calls + 1, _calls(sample_ms * TRIAL_MARGIN, each_ms, most))
    return calls


def graph_calls(warm_ms: float, input_bytes: int, free_bytes: int | None) -> int:
    """Calls that one graph holds, each with its own inputs of ``input_bytes``; at least 1."""
    calls = _calls(GRAPH_SAMPLE_MS, warm_ms, GRAPH_MAX_CALLS)
    if free_bytes is not None:
        calls = min(calls, int(free_bytes * GRAPH_MEMORY_SHARE / max(1, input_bytes)))
    return max(1, calls)
