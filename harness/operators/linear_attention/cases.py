"""Small problems that go through everything a linear-attention kernel may claim."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.model import Limits, Problem
from harness.operators.linear_attention.cost import COUNTS
from harness.operators.recurrent.cases import recurrent_cases


def cases(limits: Limits, dtype: str, direction: str) -> Iterator[list[Problem]]:
    """Each claimed mask × heads × length; without a mask, more and fewer queries than keys too."""
    for offered in recurrent_cases(COUNTS, limits, dtype, direction):
        yield offered
        if offered[0].mask == "full" and limits.cross and offered[0].seq_k == 33:
            yield [replace(p, seq_q=1) for p in offered]
            yield [replace(p, seq_q=70) for p in offered]
