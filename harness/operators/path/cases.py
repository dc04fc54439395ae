"""Small problems that go through everything a path kernel may claim."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model import Limits, Problem
from harness.operators.recurrent.cases import recurrent_cases


def cases(limits: Limits, dtype: str, direction: str) -> Iterator[list[Problem]]:
    """Each length, going round heads and head dims (``recurrent_cases``)."""
    yield from recurrent_cases("path", limits, dtype, direction)
