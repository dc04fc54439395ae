"""What a kernel claims, as problems to try it on: the contract suite's list, one an operator.

    harness/operators/<name>/cases.py    cases(limits, dtype, direction) → lists of problems

Both ``attnbench check`` and the project's own tests go through it, so a new kernel is held to
every claim of its yaml because it exists.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from harness.model import Gpu, Kernel, Problem
from harness.operators import cost_model


def claims(kernel: Kernel, kind: str) -> list[tuple[str, str]]:
    """(dtype, direction) of everything that ``kernel`` claims on ``kind`` of device."""
    limits = dict(kernel.limits).get(kind)
    if limits is None:
        return []
    return [(dtype, direction) for dtype in limits.dtypes for direction in limits.directions]


def cases(kernel: Kernel, dtype: str, direction: str, gpu: Gpu) -> Iterator[Problem]:
    """Small problems over everything claimed on ``gpu`` in ``dtype`` and ``direction``.

    Each case of the operator offers several problems, of which the first that the kernel doesn't
    refuse is taken; a case that it refuses whole is left out. Raises InvalidProblem for an unknown
    operator, and where a case makes no sense.
    """
    model = cost_model(kernel.operator)
    module = importlib.import_module(f"harness.operators.{kernel.operator}.cases")
    for offered in module.cases(dict(kernel.limits)[gpu.kind], dtype, direction):
        taken = next((p for p in offered if kernel.refusal(p, gpu) is None), None)
        if taken is not None:
            model.validate(taken)
            yield taken
