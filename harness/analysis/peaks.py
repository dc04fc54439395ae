"""Which peak a measurement is held against: only that of hardware which is known to be the one."""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.model import Gpu


def find_gpu(
    gpus: Mapping[str, Gpu] | None, name: str, model: str | None, memory_bytes: float | None
) -> Gpu | None:
    """The facts about the device ``model`` that was asked for as ``name``; None where in doubt.

    The GPU of that name, unless the device says it is another model; else the only GPU whose
    pattern matches the device.
    """
    known = (gpus or {}).values()
    gib = None
    if memory_bytes is not None and not math.isnan(memory_bytes):
        gib = memory_bytes / 2**30
    named = [gpu for gpu in known if gpu.name == name]
    if named and (not model or not named[0].device_name_pattern or named[0].matches(model, gib)):
        return named[0]
    matching = [gpu for gpu in known if model and gpu.matches(model, gib)]
    return matching[0] if len(matching) == 1 else None


def peak_tflops(
    gpus: Mapping[str, Gpu] | None,
    name: str,
    model: str | None,
    memory_bytes: float | None,
    dtype: str,
) -> float:
    """Peak TFLOP/s for ``dtype``, NaN where unknown."""
    gpu = find_gpu(gpus, name, model, memory_bytes)
    peak = gpu.peak(dtype) if gpu else None
    return float("nan") if peak is None else peak
