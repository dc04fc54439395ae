"""Our CUDA sources compile for every architecture they name, spill nothing, and take what is known.

``REGISTERS`` is the table of what ptxas 13.0 gives a thread; another version may differ by a few,
which the tests allow, but not the limit that the launch bounds set.
"""

from __future__ import annotations

import ctypes

import pytest

from harness.measure.loader import load_kernel
from harness.measure.nvcc import Library
from tests.kernels.claims import shipped
from tests.kernels.cuda_sources import built, compiled, cuda_kernels, needs_nvcc, recipe
from tests.kernels.emulated import emulated, needs_compiler

REGISTERS = {  # most of any architecture that is named
    "naive<Fp16,64>": 128,
    "naive<Bf16,64>": 130,
    "naive<Fp16,128>": 168,
    "naive<Bf16,128>": 168,
}
SLACK = 8
"""How many registers another ptxas may take more."""
INSTRUCTIONS = {"attention/cuda_naive.py": ("fma.rn.f32", "ex2.approx")}
"""What must stand in the PTX."""


@needs_nvcc
@pytest.mark.parametrize(("file", "architecture"), built())
def test_it_compiles_without_spills(file: str, architecture: str) -> None:
    found = compiled(file, architecture)
    assert found.resources
    for name, used in found.resources.items():
        assert used.spilled == 0, (name, used)
        assert used.static_shared == 0, name  # all of it is asked for by the launcher
        assert used.registers <= REGISTERS[name] + SLACK, (name, used)
    for instruction in INSTRUCTIONS[file]:
        assert instruction in found.ptx
    assert "warning" not in found.said.lower()
    assert "serialized" not in found.said


@needs_nvcc
@pytest.mark.parametrize("name", cuda_kernels())
def test_its_library_loads_here_and_says_what_cuda_says(name: str) -> None:
    library = Library(compiled(shipped()[name].file, recipe(name).architectures[0]).library)
    structure = load_kernel(shipped()[name]).Arguments
    assert library.number("argument_bytes") == ctypes.sizeof(structure)
    assert "invalid argument" in library.error_text(1)


@needs_compiler
@pytest.mark.parametrize("name", cuda_kernels())
def test_both_languages_declare_the_same_arguments(name: str) -> None:
    """Sizes alone could agree by luck: emulated kernels, which get the same, are right too."""
    structure = load_kernel(shipped()[name]).Arguments
    assert emulated(shipped()[name].file).number("argument_bytes") == ctypes.sizeof(structure)
