"""Every claim in a kernel's yaml as problems to run, and one run held against the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import torch

from harness.config import catalog
from harness.measure import contract
from harness.measure.loader import load_kernel
from harness.measure.outcome import Trial
from harness.model import Gpu, Kernel, Problem
from harness.operators.base import Expected
from harness.operators.cases import cases, claims


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
def expected(problem: Problem, seed: int) -> Expected:
    """The oracle's word, once for all the kernels that claim the problem."""
    return contract.oracle(problem, seed)


def run(name: str, problem: Problem, device: torch.device, **options: Any) -> str:
    """What the kernel, with these options, does wrong; "" where it is right or refuses."""
    kernel = shipped()[name]
    kernel = replace(kernel, options=tuple(sorted((dict(kernel.options) | options).items())))
    outcome = contract.attempt(Trial(kernel, problem), device, expected, lambda k: module(k.name))
    return "" if outcome.status in ("passed", "refused") else outcome.reason
