"""What nvcc makes of our CUDA sources: PTX, a library, and what each kernel takes.

python -m tests.kernels.cuda_sources      prints the table
"""

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
    r"Compiling entry function '(?P<name>\w+)' for 'sm_(?P<architecture>\w+)'\n"
    r".*Function properties.*\n"
    r"\s*(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads\n.*Used (?P<registers>\d+) registers(?P<rest>.*)"
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
    """The source of one kernel's file, for all architectures that it names."""

    library: Path
    ptx: tuple[str, ...]
    said: str
    """ptxas's words."""
    resources: tuple[tuple[str, str, Resources], ...]
    """(architecture, kernel as ``naive<Fp16,128>``, what it takes)."""


def cuda_kernels() -> list[str]:
    """Shipped kernels in CUDA C++."""
    return [name for name, kernel in shipped().items() if "nvcc" in kernel.programs]


def files() -> list[str]:
    """Their files, each once."""
    return list(dict.fromkeys(shipped()[name].file for name in cuda_kernels()))


def recipe(file: str) -> Recipe:
    """What a kernel's file is built of."""
    return Recipe.of(kernels_dir() / file, load_kernel(Kernel("compiled", "", file)).CUDA)


@cache
def _place() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="nvcc-")


@cache
def compiled(file: str) -> Compiled:
    """A kernel's file compiled with the harness's own flags."""
    made, place = recipe(file), Path(tempfile.mkdtemp(dir=_place().name))
    command = [
        str(find_program("nvcc")), *FLAGS, *made.flags, *map(gencode, made.architectures),
        *("-Xptxas", "-v", "--threads", "2", "--keep", "--keep-dir", str(place)),
        *("-o", str(place / "library.so"), *map(str, made.sources)),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place)
    assert done.returncode == 0, done.stderr[:4000]
    ptx = tuple(path.read_text() for path in place.glob("*.ptx"))
    resources = tuple(map(_entry, ENTRY.finditer(done.stderr)))
    return Compiled(place / "library.so", ptx, done.stderr, resources)


def _entry(found: re.Match[str]) -> tuple[str, str, Resources]:
    mangled = MANGLED.search(found["name"])
    assert mangled, found["name"]
    values = re.findall(r"L[ib](\d+)E", mangled[3])
    shared = re.search(r"(\d+) bytes smem", found["rest"])
    spilled = max(int(found[what]) for what in ("stack", "stores", "loads"))
    resources = Resources(int(found["registers"]), spilled, int(shared[1]) if shared else 0)
    name = f"{mangled[1]}<{','.join([mangled[2], *values])}>"
    return found["architecture"], name, resources


def main() -> None:
    """Registers, spilled bytes and static shared memory of every kernel and architecture."""
    print(f"{'kernel':24} {'sm':>4} {'registers':>9} {'spilled':>7} {'static shared':>13}")
    for file in files():
        for architecture, name, used in sorted(compiled(file).resources, key=lambda r: r[:2]):
            figures = f"{used.registers:9} {used.spilled:7} {used.static_shared:13}"
            print(f"{name:24} {architecture:>4} {figures}")


if __name__ == "__main__":
    main()
