"""Energy of a call: a counter's growth over at least ENERGY_S of calls back to back.

The counters move in ticks (NVML's every 20 to 100 ms, RAPL's every millisecond), so the loop is
counted from one tick to another. What the device draws beside the call, its idle power too, is in
the figure. Sources: FIELD.md §1, "Energy"; KernelBench#103.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.measure.clock import Stopwatch
from harness.model.timing import ENERGY_S as LOOP_S

BURST_S = 0.02
"""Calls between two looks at the counter take about this long."""
STUCK_S = 5.0
"""A counter that doesn't move for so long under load counts nothing."""

Counter = Callable[[], float | str]
"""Joules since some moment, or why there are none, in words."""
Burst = Callable[[int], float]
"""Makes that many calls back to back; ms a call."""


def measure_energy(burst: Burst, counter: Counter, call_ms: float) -> dict[str, float | str]:
    """``energy_j`` (a call, J), ``energy_calls`` and ``energy_power_w`` (W) for the record.

    Where there is no counter: ``energy``, a text that says why. ``call_ms``: about what a call
    takes.
    """
    start = counter()
    if isinstance(start, str):
        return {"energy": f"not measured: {start}"}
    calls = max(1, math.ceil(BURST_S * 1e3 / max(call_ms, 1e-6)))
    first = _next_tick(burst, counter, calls, start)
    if first is None:
        return {"energy": f"not measured: the counter stood still for {STUCK_S:g} s of load"}
    watch, made, last = Stopwatch(), 0, first
    while True:
        burst(calls)
        made += calls
        elapsed_s = watch.s()
        now = counter()
        if isinstance(now, str):
            return {"energy": f"not measured: {now}"}
        ticked, last = now > last, now
        if ticked and elapsed_s >= LOOP_S:
            joules = last - first
            return {
                "energy_j": joules / made,
                "energy_calls": float(made),
                "energy_power_w": joules / elapsed_s,
            }
        if elapsed_s >= LOOP_S + STUCK_S:
            return {"energy": f"not measured: the counter stood still for {STUCK_S:g} s of load"}


def _next_tick(burst: Burst, counter: Counter, calls: int, start: float) -> float | None:
    """The counter just after it has moved under load; None where it doesn't."""
    watch = Stopwatch()
    while watch.s() < STUCK_S:
        burst(calls)
        now = counter()
        if isinstance(now, float) and now > start:
            return now
    return None
