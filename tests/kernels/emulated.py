"""Our CUDA kernels on a CPU: their own sources, compiled against a small model of a GPU (simt/).

library = emulated("attention/cuda_naive")      what a kernel's file finds as ``library``
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import torch

from harness.config.paths import kernels_dir
from harness.measure.files import source_files
from harness.measure.loader import load_kernel
from harness.measure.nvcc import Library, Recipe
from harness.model import Kernel

SIMT = Path(__file__).parent / "simt"
COMPILER = shutil.which("g++")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no g++: apt-get install g++")


@cache
def _place() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="simt-")


@cache
def library_file(file: str, fault: tuple[str, str] | None = None) -> Path:
    """The kernel's library for a CPU, built once in a test run.

    With ``fault``: of a copy of its sources in which one text is replaced by the other.
    """
    path = kernels_dir() / file
    if fault is not None:
        copy = Path(tempfile.mkdtemp(dir=_place().name)) / "kernels"
        shutil.copytree(kernels_dir(), copy)
        path = copy / file
        changed = [f for f in source_files(path) if fault[0] in f.read_text()]
        assert len(changed) == 1, f"{fault[0]} stands in {len(changed)} files"
        changed[0].write_text(changed[0].read_text().replace(*fault))
    recipe = Recipe.of(path, load_kernel(Kernel("built", "", file)).CUDA)
    out = Path(tempfile.mkdtemp(dir=_place().name)) / f"{path.stem}.so"
    command = [
        str(COMPILER), "-shared", "-fPIC", "-std=c++20", "-O1", "-Wall", "-Wno-unknown-pragmas",
        "-Wno-unused-function", "-Werror", "-fno-strict-aliasing",
        "-U_FORTIFY_SOURCE",  # which takes a jump between stacks for an error

        f'-DHOST_MODEL="{SIMT / "cuda.h"}"', "-x", "c++", *map(str, recipe.sources), "-o", str(out),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return out


def emulated(
    file: str, seed: int = 0, *, eager: bool = False, fault: tuple[str, str] | None = None
) -> Library:
    """The library, its warps in an order of ``seed``, asynchronous work done late or at once."""
    library = Library(library_file(file, fault))
    library.number("simt_options", seed, int(eager))
    return library


def loader(
    seed: int = 0, *, eager: bool = False, fault: tuple[str, str] | None = None
) -> Callable[[Kernel], ModuleType]:
    """As ``load_kernel``, but the kernel's library is the emulated one."""

    def load(kernel: Kernel) -> ModuleType:
        module = load_kernel(kernel)

        def library(device: torch.device) -> Library:
            return emulated(kernel.file, seed, eager=eager, fault=fault)

        vars(module)["library"] = library
        return module

    return load
