"""Every claim in a kernel's yaml as problems to run, and one run held against the oracle."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import torch

from harness.config import catalog
from harness.measure.loader import layout_of, load_kernel
from harness.model import Gpu, Kernel, Limits, Problem
from harness.operators import cost_model, reference
from harness.operators.base import Expected, WrongOutput
from harness.operators.gates import judge

SEED = 7
MASKS: dict[str, dict[str, Any]] = {
    "full": {},
    "causal": {"causal": True},
    "causal_window": {"causal": True, "window_left": 19},
    "window": {"window_left": 7, "window_right": 40},
}
HEADS = {"mha": (2, 2), "gqa": (4, 2)}
LENGTHS = {
    "square": (70, 70),  # no multiple of any tile
    "one_query": (1, 65),
    "longer_keys": (33, 140),
    "longer_queries": (90, 37),  # causal: the first rows see nothing
}


@cache
def shipped() -> dict[str, Kernel]:
    """attnbench's own kernels by name."""
    found = catalog.kernels()
    assert not found.errors, found.errors
    return dict(found)


@cache
def module(name: str) -> ModuleType:
    return load_kernel(shipped()[name])


def claimed(kind: str) -> list[tuple[str, str, str]]:
    """(kernel, dtype, direction) for everything claimed on ``kind`` of device."""
    return [
        (name, dtype, direction)
        for name, kernel in sorted(shipped().items())
        for limits in [dict(kernel.limits).get(kind)]
        if limits is not None
        for dtype in limits.dtypes
        for direction in limits.directions
    ]


def head_dims(limits: Limits) -> list[tuple[int, int]]:
    """Query and value head dims to go through: common, odd, unequal, the largest claimed."""
    dims = [(64, 64), (40, 40), (128, 128), (64, 32), (17, 17)]
    if limits.head_dim_max is not None:
        dims.append((limits.head_dim_max, limits.head_dim_max))
    return dims


def problems(name: str, dtype: str, direction: str, gpu: Gpu) -> Iterator[Problem]:
    """Each claimed mask × grouping × pair of lengths, going round the head dims and softcaps."""
    kernel = shipped()[name]
    limits = dict(kernel.limits)[gpu.kind]
    for n, cell in enumerate(itertools.product(limits.masks, HEADS, LENGTHS)):
        mask, (hq, hkv), (sq, sk) = MASKS[cell[0]], HEADS[cell[1]], LENGTHS[cell[2]]
        dims = head_dims(limits)
        for dqk, dv in dims[n % len(dims) :] + dims[: n % len(dims)]:
            problem = Problem(
                heads_q=hq, heads_kv=hkv, seq_q=sq, seq_k=sk, head_dim_qk=dqk, head_dim_v=dv,
                dtype=dtype, direction=direction, softcap=4.0 * (limits.softcap and n % 3 == 0),
                **mask,
            )  # fmt: skip
            if kernel.refusal(problem, gpu) is None:
                cost_model(kernel.operator).validate(problem)
                yield problem
                break


@cache
def expected(problem: Problem) -> Expected:
    """The oracle's word, once for all the kernels that claim the problem."""
    return reference(problem.operator).expected(problem, SEED)


def run(name: str, problem: Problem, device: torch.device, **options: Any) -> str:
    """Why the kernel's outputs are wrong, "" where they are right or it refuses the problem."""
    kernel, code, operator = shipped()[name], module(name), reference(shipped()[name].operator)
    given = dict(kernel.options) | options
    supports = getattr(code, "supports", None)
    if supports is not None and supports(problem, device, given):
        return ""
    layout = layout_of(code)
    inputs = operator.make_inputs(problem, SEED, device, layout)
    before = {n: t.detach().clone() for n, t in inputs.items()}
    fn = code.build(problem, device, given)
    with torch.set_grad_enabled(problem.direction != "forward"):
        outputs = {"out": fn({n: t for n, t in inputs.items() if n != "grad_out"})}
    if problem.direction != "forward":
        wanted = [inputs[n] for n in operator.DIFFERENTIABLE]
        grads = torch.autograd.grad(outputs["out"], wanted, inputs["grad_out"])
        outputs |= dict(zip([f"d{n}" for n in operator.DIFFERENTIABLE], grads, strict=True))
    if any(not torch.equal(before[n], t) for n, t in inputs.items()):
        return "it changed its inputs"
    try:
        selected = operator.select(problem, SEED, outputs, layout)
    except WrongOutput as wrong:
        return str(wrong)
    return judge(problem, expected(problem), selected).reason
