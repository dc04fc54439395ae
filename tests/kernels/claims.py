"""Every claim in a kernel's yaml as problems to run, and one run held against the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import torch

from harness.config import catalog
from harness.measure.loader import layout_of, load_kernel
from harness.model import Gpu, Kernel, Problem
from harness.operators import reference
from harness.operators.base import Expected, WrongOutput
from harness.operators.cases import cases, claims
from harness.operators.gates import judge

SEED = 7


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
    return [(name, *claim) for name, k in sorted(shipped().items()) for claim in claims(k, kind)]


def problems(name: str, dtype: str, direction: str, gpu: Gpu) -> Iterator[Problem]:
    """Everything claimed, as the operator's cases.py enumerates it."""
    return cases(shipped()[name], dtype, direction, gpu)


def thinned(name: str, dtype: str, direction: str, gpu: Gpu) -> list[Problem]:
    """All of ``problems`` in the first dtype claimed; in the others every third, and every mask.

    What differs by mask, heads and lengths is the same code in every dtype.
    """
    found = list(problems(name, dtype, direction, gpu))
    dtypes = dict(shipped()[name].limits)[gpu.kind].dtypes
    if dtype == dtypes[0]:
        return found
    first = (dtypes.index(dtype) - 1) % 3
    kept = found[first::3]
    masks = {p.mask for p in kept}
    return kept + [p for p in {p.mask: p for p in found}.values() if p.mask not in masks]


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
        names = [n for n in operator.DIFFERENTIABLE if n in inputs]
        wanted = [inputs[n] for n in names]
        grads = torch.autograd.grad(outputs["out"], wanted, inputs["grad_out"])
        outputs |= dict(zip([f"d{n}" for n in names], grads, strict=True))
    if any(not torch.equal(before[n], t) for n, t in inputs.items()):
        return "it changed its inputs"
    try:
        selected = operator.select(problem, SEED, outputs, layout)
    except WrongOutput as wrong:
        return str(wrong)
    return judge(problem, expected(problem), selected).reason
