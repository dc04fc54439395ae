"""Our Triton kernels without a GPU: their numbers in Triton's interpreter, their machine code.

The interpreter runs the kernel's own source on the CPU, so indices, masks and the algebra of both
passes are held to the oracle. It says nothing of bf16 (its numpy has none), of races, or of speed.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from harness.config.catalog import gpus, kernels
from harness.measure.loader import load_kernel
from harness.measure.outcome import Trial
from harness.measure.trials import Trials
from harness.model import Kernel, Problem
from harness.operators.cases import cases

SHARED_BYTES = {80: 163 << 10, 90: 227 << 10}
"""What a block may take at most (CUDA C++ Programming Guide, technical specifications)."""


def kernel() -> Kernel:
    found = kernels()["triton_flash"]
    assert isinstance(found, Kernel)
    return found


def small_cases(direction: str) -> list[Problem]:
    """Every claimed mask, length, head grouping and addition, with the smallest head dim."""
    (kind, limits), *_ = kernel().limits
    narrow = dataclasses.replace(limits, head_dims=(64,))
    small = dataclasses.replace(kernel(), limits=((kind, narrow),))
    return list(cases(small, "fp16", direction, gpus()["h100"]))


CASES = small_cases("forward_backward")
"""Both passes at once: the interpreter takes a second a case, so none is tried twice."""


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Trials]:
    with pytest.MonkeyPatch.context() as patch:  # read where triton is imported: by the server
        patch.setenv("TRITON_INTERPRET", "1")
        trials = Trials("cpu")
    with trials:
        yield trials


@pytest.mark.parametrize("problem", CASES, ids=lambda p: p.summary())
def test_its_numbers_are_right_in_the_interpreter(problem: Problem, interpreter: Trials) -> None:
    outcome = interpreter.attempt(Trial(kernel(), problem, fresh=problem in (CASES[0], CASES[-1])))
    assert outcome.status == "passed", outcome.reason
    assert outcome.repeatable


def test_the_cases_go_through_every_claim() -> None:
    (_, limits), *_ = kernel().limits
    assert {p.mask for p in CASES} == set(limits.masks)
    for trait in ("softcap", "sinks", "lengths"):
        assert {bool(getattr(p, trait)) for p in CASES} == {True, False}, trait
    assert any(p.group > 1 for p in CASES)


@pytest.mark.parametrize(
    ("name", "head_dim", "capability", "instruction"),
    [
        ("forward", 128, 80, "mma.sync"),
        ("forward", 128, 90, "wgmma"),
        ("backward_keys", 128, 90, "mma"),
        ("backward_rows", 64, 90, "mma"),  # its tiles are too small for Hopper's own
    ],
)
def test_it_compiles_ahead_of_time_and_spills_nothing(
    name: str, head_dim: int, capability: int, instruction: str, tmp_path: Path
) -> None:
    """Causal, bf16. The other tiles compile too, but 15 s each are too many for a test."""
    compiled = compile_ahead(name, head_dim, capability)
    assert instruction in compiled.asm["ptx"]
    assert compiled.metadata.shared <= SHARED_BYTES[capability]
    used = resources(compiled.asm["cubin"], tmp_path / "kernel.cubin")
    assert used["REG"] <= 255
    assert (used["STACK"], used["LOCAL"]) == (0, 0), f"{name} spills: {used}"


def compile_ahead(name: str, head_dim: int, capability: int) -> Any:
    """One of the kernel's functions as a GPU of ``capability`` would run it."""
    module = load_kernel(kernel())
    problem = Problem(32, 8, 4096, 4096, head_dim, head_dim, "bf16", causal=True)
    rows, keys, warps, stages = module.TILES["forward" if name == "forward" else "backward"][
        head_dim
    ]
    function = getattr(module, name)
    constants = module.settings(problem) | {"ROWS": rows, "KEYS": keys}
    constants |= {"lengths_q": None, "lengths_k": None}
    constants |= {"SINKS": False, "sinks": None} if name == "forward" else {}
    signature = {a: _type(a) for a in function.arg_names}
    signature |= dict.fromkeys(constants, "constexpr")
    aligned = {
        (number,): [["tt.divisibility", 16]]
        for number, a in enumerate(function.arg_names)
        if signature[a].startswith("*") or a.startswith(("stride", "head_", "batch_"))
    }
    source = ASTSource(function, signature, constexprs=constants, attrs=aligned)
    options = {"num_warps": warps, "num_stages": stages}
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)


def _type(argument: str) -> str:
    if argument in ("lse", "delta"):
        return "*fp32"
    if argument == "scale":
        return "fp32"
    lower = argument.startswith(("stride", "head_", "batch_"))
    return "i32" if lower or argument.isupper() else "*bf16"


def resources(cubin: bytes, file: Path) -> dict[str, int]:
    """Registers a thread, and bytes of stack, shared and local memory, as cuobjdump says."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    file.write_bytes(cubin)
    said = subprocess.run([tool, "-res-usage", file], capture_output=True, text=True, check=True)
    found = re.findall(r"(REG|STACK|LOCAL|SHARED):(\d+)", said.stdout)
    assert found, said.stdout
    return {name: int(number) for name, number in found}
