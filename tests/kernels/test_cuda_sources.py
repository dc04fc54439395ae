"""Our CUDA sources compile for every architecture they name, spill nothing, and take what is known.

``REGISTERS`` is the table of what ptxas 13.0 gives a thread; another version may differ by a few,
which the tests allow.
"""

from __future__ import annotations

import ctypes

import pytest

from harness.measure.loader import load_kernel
from harness.measure.nvcc import Library
from tests.kernels.claims import shipped
from tests.kernels.cuda_sources import compiled, cuda_kernels, files, needs_nvcc, recipe

REGISTERS = {  # in fp16 as in bf16, the most of any architecture that is named
    "naive<64>": 130,
    "naive<128>": 168,
    "flash<64>": 228,
    "flash<128>": 255,
    "hopper<64>": 168,
    "hopper<128>": 168,
    "split_kv<64>": 128,
    "split_kv<128>": 168,
    "merge_splits<64>": 64,
    "merge_splits<128>": 40,
}
SHARED_KB = {  # that the launcher asks for, by head dim
    "cuda_naive": {64: 0, 128: 0},
    "cuda_flash": {64: 48, 128: 80},
    "cuda_hopper": {64: 80.125, 128: 160.125},
    "decode_cuda_split_kv": {64: 32.5, 128: 64.5},
}
MOST_SHARED_KB = {"80": 99, "90a": 227}
"""What a block may have on all that the number stands for: sm_86, sm_89 and sm_120 have least (CUDA
C++ Programming Guide, technical specifications per compute capability)."""
SLACK = 8
"""How many registers another ptxas may take more."""
ON_SM_80 = (
    "cp.async.cg.shared.global",
    "cp.async.wait_group",
    "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
    "ldmatrix.sync.aligned.m8n8.x4.trans",
    "mma.sync.aligned.m16n8k16.row.col.f32.f16",
    "mma.sync.aligned.m16n8k16.row.col.f32.bf16",
    "ex2.approx.ftz.f32",
)
ON_SM_90A = (
    "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16",
    "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16",
    "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16",
    "wgmma.wait_group.sync.aligned 1",
    "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes",
    "mbarrier.try_wait.parity",
    "setmaxnreg.dec.sync.aligned.u32 24",
    "setmaxnreg.inc.sync.aligned.u32 240",
)
INSTRUCTIONS = {
    "attention/cuda_naive.py": ("fma.rn.f32", "ex2.approx"),
    "attention/cuda_flash.py": ON_SM_80,
    "attention/cuda_hopper.py": ON_SM_90A,
    "decode/cuda_split_kv.py": ON_SM_80,
}
"""What must stand in the PTX."""


@needs_nvcc
@pytest.mark.parametrize("file", files())
def test_it_compiles_without_spills(file: str) -> None:
    found = compiled(file)
    assert {a for a, _, _ in found.resources} == set(recipe(file).architectures)
    for _, name, used in found.resources:
        assert used.spilled == 0, (name, used)
        assert used.static_shared == 0, name  # all of it is asked for by the launcher
        most = REGISTERS[name.replace("Fp16,", "").replace("Bf16,", "")]
        assert most - 40 <= used.registers <= min(255, most + SLACK), (name, used)
    for ptx in found.ptx:
        assert [i for i in INSTRUCTIONS[file] if i not in ptx] == []
    assert "warning" not in found.said.lower()
    assert "serialized" not in found.said  # wgmma, where its registers are touched too early


@needs_nvcc
@pytest.mark.parametrize("name", cuda_kernels())
def test_its_library_loads_here_and_says_what_cuda_says(name: str) -> None:
    library = Library(compiled(shipped()[name].file).library)
    structure = load_kernel(shipped()[name]).Arguments
    assert library.number("argument_bytes") == ctypes.sizeof(structure)
    assert "invalid argument" in library.error_text(1)
    most = MOST_SHARED_KB[recipe(shipped()[name].file).architectures[0]]
    for dim, kilobytes in SHARED_KB[name].items():
        assert library.number("shared_bytes", dim) == kilobytes * 1024 <= most * 1024
