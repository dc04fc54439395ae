"""Every operator's gate, in every dtype, fails small mistakes that a kernel can make.

The scale 1 % off, the last tile left out, the last head another's. The scale is really another
one where the operator has one: through a softmax it isn't a factor of the output.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from harness.model import Problem, params_of
from harness.operators import cost_model, operator_names, reference
from harness.operators.base import Expected
from harness.operators.caches import token_rows
from harness.operators.gates import judge
from harness.operators.inputs import TORCH_DTYPES
from tests.operators.cache_problems import absorbed, decode
from tests.operators.problems import attention
from tests.operators.recurrent_problems import RECURRENT, SQUARE, recurrent

Array = NDArray[Any]
DTYPES = list(TORCH_DTYPES)
TILE, SEED = 16, 3
STEP = {"lengths": "", "seq_q": 4, "seq_k": 192, "heads_q": 8, "causal": False}
SQUARE_LENGTH = {"seq_q": 96, "seq_k": 96, "causal": True, "direction": "forward_backward"}


def problem_of(name: str, dtype: str) -> Problem:
    """A problem of an operator (or of a form of it) with some thousand outputs."""
    if name == "attention":
        return attention(dtype=dtype, batch=1, head_dim_v=16, **SQUARE_LENGTH)
    if name in ("decode", "decode int8", "decode fp8_e4m3"):
        dims = {"head_dim_qk": 32, "head_dim_v": 32, "kv_dtype": name[7:]}
        return decode(dtype=dtype, **STEP, **dims)
    if name == "mla absorbed":
        dims = {"head_dim_qk": 40, "head_dim_v": 32, "scale": 24**-0.5}
        return absorbed(dtype=dtype, **STEP, **dims)
    if name == "mla":
        return attention(
            operator="mla", dtype=dtype, batch=1, heads_q=3, heads_kv=3, head_dim_qk=24,
            head_dim_v=16, params=params_of({"rope": 8}), **SQUARE_LENGTH,
        )  # fmt: skip
    dims = {"head_dim_qk": 16, "head_dim_v": 16 if name in SQUARE else 24}
    return recurrent(name, dtype=dtype, heads_q=3, heads_kv=3, **dims, **SQUARE_LENGTH)


FORMS = [*operator_names(), "decode int8", "decode fp8_e4m3", "mla absorbed"]
SCALED = [n for n in FORMS if n not in ("linear_attention", "mamba2", "rwkv6", "rwkv7")]


@cache
def expected(problem: Problem) -> Expected:
    cost_model(problem.operator).validate(problem)
    return reference(problem.operator).expected(problem, SEED)


def rounded(problem: Problem) -> dict[str, Array]:
    """What a kernel that errs by nothing but its last rounding puts out."""
    dtype = TORCH_DTYPES[problem.dtype]
    outputs = expected(problem).outputs
    return {n: torch.from_numpy(a).to(dtype).double().numpy() for n, a in outputs.items()}


def reason(problem: Problem, selected: dict[str, Array]) -> str:
    return judge(problem, expected(problem), selected).reason


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMS)
def test_a_scale_that_is_one_per_cent_off_fails(name: str, dtype: str) -> None:
    problem = problem_of(name, dtype)
    right = rounded(problem)
    assert reason(problem, right) == ""
    if name in SCALED:
        other = replace(problem, scale=1.01 * problem.effective_scale, direction="forward")
        wrong = rounded(other)["out"]
    else:
        wrong = 1.01 * right["out"]
    assert reason(problem, right | {"out": wrong}).startswith("out: ")
    for output in right.keys() - {"out"}:  # fewer numbers, and some are sums of many roundings
        assert reason(problem, right | {output: 1.02 * right[output]}).startswith(f"{output}: ")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMS)
def test_a_last_tile_that_is_left_out_fails(name: str, dtype: str) -> None:
    """Of queries (and of keys, for gradients) where they are many, else of the context."""
    problem = problem_of(name, dtype)
    right = rounded(problem)
    if problem.cache:
        short = replace(problem, seq_k=problem.seq_k - TILE)
        stream = "kv" if problem.operator == "mla" else "k"
        if not problem.kv_dtype:  # (else the whole context sets the scale that it is quantised by)
            whole, part = (token_rows(p, SEED, stream, 0, 0) for p in (problem, short))
            assert torch.equal(whole[:-TILE], part)
        wrong = {"out": rounded(short)["out"]}
    else:
        wrong = {n: a.copy() for n, a in right.items() if a.shape[-2] > TILE}
        for array in wrong.values():
            array[..., -TILE:, :] = 0
    for output, array in wrong.items():
        assert reason(problem, right | {output: array}).startswith(f"{output}: ")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMS)
def test_one_head_that_is_wrong_fails(name: str, dtype: str) -> None:
    problem = problem_of(name, dtype)
    right = rounded(problem)
    for output, array in right.items():
        wrong = array.copy()
        wrong[-1] = array[0]
        if output == "du":  # rwkv6's weight: a number of every head
            assert array.shape[0] == problem.heads_q
        assert reason(problem, right | {output: wrong}).startswith(f"{output}: ")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operator", ["attention", *RECURRENT])
def test_noise_of_the_last_rounding_passes_in_any_seed(operator: str, dtype: str) -> None:
    """… and in few numbers, where nothing can be told from a common factor."""
    for seed in range(6):
        small = replace(
            problem_of(operator, dtype), batch=1, heads_q=1, heads_kv=1, seq_q=3, seq_k=3
        )
        found = reference(operator).expected(small, seed)
        noise = np.random.default_rng(seed)
        unit = {"fp64": 2e-16, "fp32": 6e-8, "fp16": 5e-4, "bf16": 4e-3}[dtype]
        selected = {
            n: a * (1 + unit * noise.uniform(-1, 1, a.shape)) for n, a in found.outputs.items()
        }
        verdict = judge(small, found, selected)
        assert verdict.ok, verdict.reason
