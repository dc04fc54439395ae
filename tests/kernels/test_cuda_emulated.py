"""Our CUDA kernels' own sources on a CPU (simt/), over all that they claim, held to the oracle.

What an instruction does is as simt/ has it from the PTX ISA; everything else, which is indices,
masks, bounds, barriers, stages and the algebra, is the kernel's own. Asynchronous work is done as
late as the kernel allows, then at once, and warps take turns in another order: what is read too
early or overwritten too soon is wrong in one of them.
"""

from __future__ import annotations

import ctypes
from dataclasses import replace

import pytest
import torch

from harness.config.catalog import gpus
from harness.measure.contract import attempt
from harness.measure.loader import load_kernel
from harness.measure.outcome import Trial
from harness.measure.suite import BIG
from harness.model import Problem
from tests.kernels.claims import expected, shipped, thinned
from tests.kernels.cuda_sources import cuda_kernels
from tests.kernels.emulated import emulated, loader, needs_compiler

CPU = torch.device("cpu")
H100 = gpus()["h100"]
CASES = [
    (name, problem)
    for name in cuda_kernels()
    for dtype in ("fp16", "bf16")
    for problem in thinned(name, dtype, "forward", H100)
]
CASES += [  # scores at which exp overflows without a maximum
    (name, replace(problem, scale=BIG * problem.effective_scale))
    for name, problem in dict(CASES).items()
]
LONGER = {  # several tiles of rows and of keys, so that stages are used again
    "causal": Problem(2, 1, 200, 333, 64, 64, "bf16", causal=True),
    "window": Problem(1, 1, 300, 300, 128, 128, "fp16", window_left=70, window_right=10),
    "many tiles": Problem(1, 1, 130, 700, 128, 128, "bf16"),
    "paged": Problem(
        8, 2, 3, 900, 64, 64, "bf16", operator="decode", batch=2, causal=True,
        cache="paged", page_size=12, lengths="uniform", lengths_seed=3,
    ),
    "contiguous": Problem(
        4, 1, 5, 700, 128, 128, "fp16", operator="decode", batch=2, causal=True, window_left=400,
        cache="contiguous",
    ),
}  # fmt: skip
FAULTS = [  # a few of many that were tried: barriers, counts of a pipeline, bounds, layouts
    ("cuda_flash", ("wait_for_block();\n        fetch_keys", "fetch_keys")),
    ("cuda_hopper", ("products_wait<1>(c.flat_scores());", "products_wait<2>(c.flat_scores());")),
]


@needs_compiler
@pytest.mark.parametrize(("name", "problem"), CASES, ids=lambda x: getattr(x, "key", x))
def test_its_numbers_are_right(name: str, problem: Problem) -> None:
    outcome = attempt(Trial(shipped()[name], problem), CPU, expected, loader())
    assert outcome.status == "passed", outcome.reason
    assert outcome.repeatable


@needs_compiler
@pytest.mark.parametrize(
    ("name", "longer"),
    [
        (name, longer)
        for name in cuda_kernels()
        for longer, problem in LONGER.items()
        if shipped()[name].refusal(problem, H100) is None
    ],
)
@pytest.mark.parametrize(("seed", "eager"), [(1, False), (2, True)])
def test_no_order_of_warps_or_copies_makes_it_wrong(
    name: str, longer: str, seed: int, eager: bool
) -> None:
    load = loader(seed, eager=eager)
    outcome = attempt(Trial(shipped()[name], LONGER[longer]), CPU, expected, load)
    assert outcome.status == "passed", outcome.reason


@needs_compiler
@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_planted_fault_is_found(name: str, fault: tuple[str, str]) -> None:
    """What this file rests on: the model of a GPU shows races, wrong bounds, bank conflicts."""
    problems = [p for p in LONGER.values() if shipped()[name].refusal(p, H100) is None]
    statuses = {
        attempt(
            Trial(shipped()[name], p), CPU, expected, loader(1, eager=eager, fault=fault)
        ).status
        for p in problems
        for eager in (False, True)
    }
    assert "failed" in statuses


@needs_compiler
@pytest.mark.parametrize("name", cuda_kernels())
def test_both_languages_declare_the_same_arguments(name: str) -> None:
    """Sizes alone could agree by luck: emulated kernels, which get the same, are right too."""
    structure = load_kernel(shipped()[name]).Arguments
    assert emulated(shipped()[name].file).number("argument_bytes") == ctypes.sizeof(structure)
