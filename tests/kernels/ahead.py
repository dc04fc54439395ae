"""Triton kernels compiled ahead of time, as a GPU that isn't here would be given them.

A kernel's ``build`` is run on torch's meta device with recorders in the place of its Triton
functions: what it would launch on a problem of full size is then compiled for any architecture,
specialised as Triton's own launcher does it (1 is a constant; multiples of 16, and addresses, are
told), and the machine code's resources are read with cuobjdump.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest
import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

from harness.measure.loader import load_kernel
from harness.model import Kernel, Problem
from harness.operators.caches import QUANTISED, streams
from harness.operators.inputs import TORCH_DTYPES
from tests.kernels.claims import shipped
from tests.kernels.full_size import CASES

SHARED_BYTES = {80: 99 << 10, 90: 227 << 10, 100: 227 << 10}
"""What a block may take at most (CUDA C++ Programming Guide, technical specifications).

An A100 has 163 KiB, but sm_86, sm_89 and sm_120 run the same tiles in 99.
"""
REGISTERS = 64 << 10
"""Of a multiprocessor: what all threads of a block have to share."""
TENSOR_COLUMNS = 512
"""Of Blackwell's tensor memory, a multiprocessor (PTX ISA, tcgen05)."""
META = torch.device("meta")
TYPES = {
    **{torch.float16: "fp16", torch.bfloat16: "bf16", torch.float32: "fp32"},
    **{torch.int8: "i8", torch.int32: "i32", torch.int64: "i64"},
}
PRODUCTS = ("mma.sync", "wgmma", "tcgen05.mma")
"""Tensor cores' instructions: of sm_80, of Hopper's, of Blackwell's own."""
OPTIONS = ("num_warps", "num_stages", "num_ctas", "maxnreg")


@dataclass(frozen=True)
class Launch:
    """One call of a Triton function."""

    function: Any
    grid: tuple[int, ...]
    arguments: dict[str, Any]
    options: dict[str, int]

    @property
    def name(self) -> str:
        return str(self.function.__name__)


@dataclass(frozen=True)
class Compiled:
    """Machine code and what it takes."""

    ptx: str
    registers: int
    """A thread."""
    spilled: int
    """Bytes of stack and local memory a thread."""
    shared: int
    """Bytes a block."""
    tensor_memory: int
    """Columns of Blackwell's tensor memory a block."""
    threads: int
    """Of a block."""


class Recorder:
    """Stands for a Triton function: keeps what it is called with."""

    def __init__(self, function: Any, kept: list[Launch]) -> None:
        self._function, self._kept = function, kept

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def call(*given: Any, **named: Any) -> None:
            options = {name: named.pop(name) for name in OPTIONS if name in named}
            arguments = dict(zip(self._function.arg_names, given, strict=False)) | named
            self._kept.append(Launch(self._function, grid, arguments, options))

        return call


def launches(kernel: Kernel, problem: Problem, capability: int) -> list[Launch]:
    """What ``kernel`` launches for ``problem`` on a GPU of ``capability``."""
    module, kept, inputs = load_kernel(kernel), list[Launch](), shapes(problem)
    with pytest.MonkeyPatch.context() as patch:
        for name, function in triton_functions(module).items():
            patch.setattr(module, name, Recorder(function, kept))
        if hasattr(module, "capability"):  # whose tiles depend on it
            patch.setattr(module, "capability", lambda _: capability)
        out = module.build(problem, META, dict(kernel.options))(inputs)
        if problem.direction != "forward":
            out.backward(torch.empty_like(out))
    return kept


def shapes(problem: Problem) -> dict[str, Tensor]:
    """A problem's inputs in BHSD without their numbers."""
    p, inputs = problem, dict[str, Tensor]()

    def empty(name: str, *shape: int, dtype: torch.dtype = TORCH_DTYPES[problem.dtype]) -> None:
        trained = p.direction != "forward" and dtype.is_floating_point
        inputs[name] = torch.empty(shape, dtype=dtype, device=META, requires_grad=trained)

    empty("q", p.batch, p.heads_q, p.seq_q, p.head_dim_qk)
    if not p.cache:
        empty("k", p.batch, p.heads_kv, p.seq_k, p.head_dim_qk)
        empty("v", p.batch, p.heads_kv, p.seq_k, p.head_dim_v)
        if p.sinks:
            empty("sinks", p.heads_q)
        return inputs
    pool, tokens = p.batch, p.seq_k
    if p.page_size:
        pool, tokens = p.batch * p.seq_k // p.page_size, p.page_size
        empty("page_table", p.batch, p.seq_k // p.page_size, dtype=torch.int32)
    for name, dim in streams(p).items():
        stored = QUANTISED[p.kv_dtype][0] if p.kv_dtype else TORCH_DTYPES[p.dtype]
        empty(f"{name}_cache", pool, p.heads_kv, tokens, dim, dtype=stored)
        if p.kv_dtype:
            empty(f"{name}_scale", p.heads_kv, dtype=torch.float32)
    empty("lengths", p.batch, dtype=torch.int32)
    return inputs


def triton_functions(module: ModuleType) -> dict[str, Any]:
    """The functions that a kernel file launches: those without a leading underscore."""
    found = {n: f for n, f in vars(module).items() if isinstance(f, JITFunction)}
    return {n: f for n, f in found.items() if not n.startswith("_")}


def compiled(launch: Launch, capability: int) -> Compiled:
    """The launch as a GPU of ``capability`` would run it; Triton keeps it in its own cache."""
    signature, constants, attributes = {}, {}, {}
    for number, parameter in enumerate(launch.function.params):
        value = launch.arguments[parameter.name]
        signature[parameter.name] = kind = _type(value, parameter.is_constexpr)
        if kind == "constexpr":
            constants[(number,)] = value
        elif isinstance(value, Tensor) or (isinstance(value, int) and value % 16 == 0):
            attributes[(number,)] = [["tt.divisibility", 16]]
    source = ASTSource(launch.function, signature, constexprs=constants, attrs=attributes)
    target = GPUTarget("cuda", capability, 32)
    made = triton.compile(source, target=target, options=launch.options)
    used = _resources(made.asm["cubin"])
    return Compiled(
        ptx=made.asm["ptx"],
        registers=used["REG"],
        spilled=used["STACK"] + used["LOCAL"],
        shared=made.metadata.shared,
        tensor_memory=made.metadata.tmem_size or 0,
        threads=32 * made.metadata.num_warps,
    )


def faults(code: Compiled, capability: int) -> list[str]:
    """What of ``code`` a GPU couldn't run, or wouldn't run well."""
    found = {
        f"spills {code.spilled} bytes a thread": code.spilled > 0,
        f"{code.registers} registers a thread": code.registers > 255,
        f"{code.registers} registers × {code.threads} threads": (
            code.registers * code.threads > REGISTERS
        ),
        f"{code.shared} bytes of shared memory": code.shared > SHARED_BYTES[capability],
        f"{code.tensor_memory} columns of tensor memory": code.tensor_memory > TENSOR_COLUMNS,
    }
    return [fault for fault, there in found.items() if there]


def _type(value: Any, constant: bool) -> str:
    if constant or value is None or (isinstance(value, int) and value == 1):
        return "constexpr"
    if isinstance(value, Tensor):
        return f"*{TYPES[value.dtype]}"
    if isinstance(value, int):
        return "i32" if -(2**31) <= value < 2**31 else "i64"
    assert isinstance(value, float), value
    return "fp32"


def _resources(cubin: bytes) -> dict[str, int]:
    """Registers a thread, and bytes of stack and local memory, as cuobjdump says."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        file.write_bytes(cubin)
        command = [tool, "-res-usage", file]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"(REG|STACK|LOCAL):(\d+)", said)
    assert found, said
    return {name: int(number) for name, number in found}


def main(wanted: list[str]) -> int:
    """Compile every problem of full_size.py; how many launches have a fault."""
    bad = 0
    print(f"Triton {triton.__version__}\n")
    print("| kernel | problem | function | sm | warps | registers | shared KiB | products | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, problems in CASES.items():
        for case, problem in problems.items() if not wanted or name in wanted else ():
            found_for = {sm: launches(shipped()[name], problem, sm) for sm in SHARED_BYTES}
            for capability, launch in ((sm, one) for sm, them in found_for.items() for one in them):
                code = compiled(launch, capability)
                found = faults(code, capability)
                bad += bool(found)
                products = "/".join(word for word in PRODUCTS if word in code.ptx)
                cells = (name, case, launch.name, capability, code.threads // 32, code.registers)
                cells += (code.shared >> 10, products, ", ".join(found))
                print(f"| {' | '.join(map(str, cells))} |", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
