"""What nvcc makes of our CUDA sources for one architecture: PTX, and what each kernel takes."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from harness.config.paths import kernels_dir
from harness.measure.loader import load_kernel
from harness.measure.nvcc import FLAGS, Recipe, gencode
from harness.model import Kernel
from harness.model.programs import find_program
from tests.kernels.claims import shipped

needs_nvcc = pytest.mark.skipif(
    find_program("nvcc") is None, reason="no nvcc: install the CUDA toolkit"
)
ENTRY = re.compile(
    r"Compiling entry function '(?P<name>\w+)' for '\w+'\n.*Function properties.*\n"
    r"\s*(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads\n.*Used (?P<registers>\d+) registers"
    r"(?P<rest>.*)"
)
MANGLED = re.compile(r"\d+([a-z_]+)I\d+(Fp16|Bf16)((?:L[ib]\d+E)*)")


@dataclass(frozen=True)
class Resources:
    """What a kernel takes, as ptxas says."""

    registers: int
    """Of a thread."""
    spilled: int
    """Bytes of a thread's registers and arrays that live in memory instead."""
    static_shared: int
    """Bytes of a block, beside what its launcher asks for."""


@dataclass(frozen=True)
class Compiled:
    """One source for one architecture."""

    library: Path
    ptx: str
    said: str
    """ptxas's words."""
    resources: dict[str, Resources]
    """By kernel: ``naive<Fp16,128>``."""


def cuda_kernels() -> list[str]:
    """Shipped kernels in CUDA C++."""
    return [name for name, kernel in shipped().items() if "nvcc" in kernel.programs]


def recipe(name: str) -> Recipe:
    """What a kernel is built of."""
    kernel = shipped()[name]
    return Recipe.of(kernels_dir() / kernel.file, load_kernel(kernel).CUDA)


def built() -> list[tuple[str, str]]:
    """(kernel file, architecture) of everything that is compiled; a file counts once."""
    files = {shipped()[name].file: name for name in cuda_kernels()}
    return [(file, a) for file, name in files.items() for a in recipe(name).architectures]


@cache
def compiled(file: str, architecture: str) -> Compiled:
    """The first source of a kernel's file, compiled with the harness's own flags."""
    made = Recipe.of(kernels_dir() / file, load_kernel(Kernel("compiled", "attention", file)).CUDA)
    place = Path(tempfile.mkdtemp(prefix="nvcc-"))
    command = [
        str(find_program("nvcc")), *FLAGS, *made.flags, gencode(architecture), "-Xptxas", "-v",
        "--keep", "--keep-dir", str(place), "-o", str(place / "library.so"),
        str(made.sources[0]),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place)
    assert done.returncode == 0, done.stderr[:4000]
    ptx = next(place.glob("*.ptx")).read_text()
    resources = dict(map(_entry, ENTRY.finditer(done.stderr)))
    return Compiled(place / "library.so", ptx, done.stderr, resources)


def _entry(found: re.Match[str]) -> tuple[str, Resources]:
    mangled = MANGLED.search(found["name"])
    assert mangled, found["name"]
    values = re.findall(r"L[ib](\d+)E", mangled[3])
    shared = re.search(r"(\d+) bytes smem", found["rest"])
    spilled = max(int(found[what]) for what in ("stack", "stores", "loads"))
    resources = Resources(int(found["registers"]), spilled, int(shared[1]) if shared else 0)
    return f"{mangled[1]}<{','.join([mangled[2], *values])}>", resources
