"""Whether a kernel can run on this machine, and if not why: what ``list`` and ``doctor`` say."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model import Gpu, Kernel


def why_not(kernel: Kernel, devices: Sequence[Gpu]) -> str | None:
    """Why ``kernel`` can't run on any of ``devices`` here, or None. Imports nothing.

    Packages and programs first, with what brings them; then the kinds of device; then the GPU's
    compute capability. What its yaml's limits say of a problem is the plan's to say.
    """
    if kernel.lacking:
        how = f": {kernel.remedy}" if kernel.remedy else ""
        return f"needs {', '.join(kernel.lacking)}{how}"
    limits = dict(kernel.limits)
    fitting = [gpu for gpu in devices if gpu.kind in limits]
    if not fitting:
        here = dict.fromkeys(gpu.kind for gpu in devices)
        return f"runs on {', '.join(limits) or 'no device'}; here is {', '.join(here)}"
    refusals = [limits[gpu.kind].device_refusal(gpu) for gpu in fitting]
    return None if None in refusals else refusals[0]
