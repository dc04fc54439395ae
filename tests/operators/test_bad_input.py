"""Every operator refuses what it can't mean, naming the field or its value, before it runs."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import InvalidProblem
from harness.model import Problem
from harness.operators import cost_model, operator_names

SQUARE: dict[str, Any] = {
    "heads_q": 4, "heads_kv": 4, "seq_q": 64, "seq_k": 64, "head_dim_qk": 64, "head_dim_v": 64,
    "dtype": "fp32", "causal": True,
}  # fmt: skip
STEP = {"cache": "contiguous", "seq_q": 1}
FAMILIES: dict[str, dict[str, Any]] = {name: {"operator": name} for name in operator_names()}
FAMILIES["decode"] |= STEP
FAMILIES["mla"] |= {"head_dim_qk": 192, "head_dim_v": 128}
FAMILIES["mla decode"] = {
    "operator": "mla", "heads_kv": 1, "head_dim_qk": 576, "head_dim_v": 512, "scale": 0.07, **STEP,
}  # fmt: skip
"""A good problem of each, over SQUARE."""
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "window of zero": ({"window_left": 0}, "window_left=0"),
    "window below zero": ({"window_left": -1}, "window_left"),
    "causal, and keys to the right": ({"window_right": 3}, "window_right=3"),
    "pages of nothing": ({"cache": "paged", "page_size": 0}, "cache|page_size"),
    "pages that don't divide": ({"cache": "paged", "page_size": 7}, "page_size=7|cache="),
    "pages without a paged cache": ({"page_size": 16}, "page_size=16"),
    "heads that don't divide": ({"heads_kv": 3}, "heads_kv=3"),
    "a cache's type like no cache": ({"kv_dtype": "bf16"}, "kv_dtype='bf16'"),
    "a type without a rule": ({"dtype": "int8"}, "int8"),
    "an unknown pattern": ({"pattern": "nope"}, "nope"),
    "a head dim of zero": ({"head_dim_qk": 0}, "head_dim_qk"),
    "a scale of zero": ({"scale": 0.0}, "scale"),
    "unknown lengths": ({"lengths": "nope"}, "nope"),
    "a seed of no lengths": ({"lengths_seed": 3}, "lengths_seed=3"),
    "a stride of no pattern": ({"params": (("stride", 3),)}, "stride"),
}


def validated(family: str, **fields: Any) -> None:
    problem = Problem(**SQUARE | FAMILIES[family] | fields)
    cost_model(problem.operator).validate(problem)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_good_problem_is_taken(family: str) -> None:
    validated(family)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_it_cannot_mean_is_refused_with_the_reason(family: str, bad: str) -> None:
    fields, named = BAD[bad]
    with pytest.raises(InvalidProblem, match=named):
        validated(family, **fields)
