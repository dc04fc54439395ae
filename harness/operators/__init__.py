"""What is computed: inputs, fp64 oracle, FLOP and byte counts, one folder an operator.

    harness/operators/<name>/cost.py        counts and validation, the standard library alone
    harness/operators/<name>/reference.py   seeded inputs, oracle, selection of outputs (torch)
    harness/operators/<name>/cases.py       small problems over what its kernels may claim; without
                                            one, those that all recurrent operators share

A folder with these files is an operator: nothing registers it. Importing this package imports
neither torch nor numpy, so planning can count FLOPs without either.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import cast

from harness.errors import InvalidProblem, did_you_mean
from harness.operators.base import CostModel, Reference


@cache
def operator_names() -> tuple[str, ...]:
    """Names of all operators, sorted: the folders here that have a ``cost.py``."""
    return tuple(sorted(path.parent.name for path in Path(__file__).parent.glob("*/cost.py")))


@cache
def cost_model(name: str) -> CostModel:
    """Validation and counts of operator ``name``; torch-free. InvalidProblem if unknown."""
    return cast(CostModel, _load(name, "cost", "COUNTS"))


@cache
def reference(name: str) -> Reference:
    """Inputs and oracle of operator ``name``; imports torch. InvalidProblem if unknown."""
    return cast(Reference, _load(name, "reference", "FAMILY"))


def _load(name: str, part: str, shared: str) -> object:
    """The module, or where it has one the object in it that does the work."""
    if name not in operator_names():
        raise InvalidProblem(f"unknown operator {name!r}. {did_you_mean(name, operator_names())}")
    module = importlib.import_module(f"harness.operators.{name}.{part}")
    return getattr(module, shared, module)
