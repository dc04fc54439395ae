"""What a kernel claims, as problems to try it on: the contract suite's list, one an operator.

    harness/operators/<name>/cases.py    cases(limits, dtype, direction) → lists of problems

Both ``attnbench check`` and the project's own tests go through it, so a new kernel is held to
every claim of its yaml because it exists.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator

from harness.model import Gpu, Kernel, Limits, Problem
from harness.operators import cost_model
from harness.operators.base import CostModel
from harness.operators.recurrent.cases import recurrent_cases
from harness.operators.recurrent.counts import Counts


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
    for offered in _offered(
        model, kernel.operator, dict(kernel.limits)[gpu.kind], dtype, direction
    ):
        taken = next((p for p in offered if kernel.refusal(p, gpu) is None), None)
        if taken is not None:
            model.validate(taken)
            yield taken


def _offered(
    model: CostModel, operator: str, limits: Limits, dtype: str, direction: str
) -> Iterator[list[Problem]]:
    """The cases of an operator's own file, or what all recurrent operators share."""
    name = f"harness.operators.{operator}.cases"
    if importlib.util.find_spec(name) is None and isinstance(model, Counts):
        yield from recurrent_cases(model, limits, dtype, direction)
    else:
        yield from importlib.import_module(name).cases(limits, dtype, direction)
