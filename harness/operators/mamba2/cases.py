"""Small problems that go through everything a mamba2 kernel may claim."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model import Limits, Problem
from harness.operators.recurrent.cases import recurrent_cases


def cases(limits: Limits, dtype: str, direction: str) -> Iterator[list[Problem]]:
    """Each length, going round heads and head dims (``recurrent_cases``)."""
    yield from recurrent_cases("mamba2", limits, dtype, direction, heads=((4, 2), (2, 2), (3, 1)))
