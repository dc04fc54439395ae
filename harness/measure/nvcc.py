"""Kernels in CUDA C++: built by nvcc when they are first needed, kept, and loaded with ctypes.

A kernel's file says what it is built of, and finds a function in its place once it is loaded:

    CUDA = {"sources": ["naive.cu"], "architectures": ["80"]}  # sources: in x/ beside x.py
    library = None  # the harness puts a function here: library(device) → Library

    def build(problem, device, options):
        launch = library(device).launcher("naive_forward")
        return lambda inputs: … launch(Arguments(…)) …

A launcher is ``extern "C" int name(const Arguments*, cudaStream_t)``: it gets the address of a
ctypes.Structure and torch's current stream, and returns a cudaError_t, of which ``extern "C"
const char *cuda_error_text(int)`` gives the words (kernels/cuda/launch.cuh helps with both).
Neither torch nor the driver is linked (driver functions come from cudaGetDriverEntryPoint), so a
library outlives torch's versions and loads on a machine without a GPU.

Architectures are nvcc's numbers: "80" is a GPU of compute capability 8.0 or newer, and is compiled
for the GPU that is there; "90a" is that GPU alone. What was built is kept under the hash of its
sources, flags, compiler and architectures in ATTNBENCH_CUDA_CACHE (default: attnbench/cuda in the
user's cache folder); workers that build the same at once don't disturb each other.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import KernelError
from harness.measure.cache import cache_folder
from harness.measure.files import source_files
from harness.model.programs import find_program

if TYPE_CHECKING:
    import torch

CACHE_VARIABLE = "ATTNBENCH_CUDA_CACHE"
FLAGS = ("-O3", "-std=c++17", "-shared", "-cudart", "static", "-Xcompiler", "-fPIC")
TIMEOUT_S = 600.0
"""For one build: the longest here takes a tenth of it."""
WORDS = 4000
"""How much of what the compiler said goes into an error."""

found_kept: list[bool] = []
"""Of each library asked for in this process, whether it was kept from before."""


class NoCompiler(Exception):
    """There is no nvcc here, so the kernel is skipped; says what to do."""


class LaunchError(RuntimeError):
    """A launcher returned a CUDA error."""


@dataclass(frozen=True)
class Recipe:
    """What a library is built of."""

    sources: tuple[Path, ...]
    """Files that the compiler is given."""
    files: tuple[Path, ...]
    """Those and all that they include in quotes."""
    architectures: tuple[str, ...]
    """nvcc's numbers, e.g. 80 or 90a."""
    flags: tuple[str, ...] = ()
    """More flags for nvcc."""

    @classmethod
    def of(cls, path: Path, said: Mapping[str, Any]) -> Recipe:
        """From the ``CUDA`` of the kernel's file ``path``. Raises KernelError."""
        unknown = sorted(set(said) - {"sources", "architectures", "flags"})
        if unknown or not said.get("sources") or not said.get("architectures"):
            wrong = f"has {', '.join(unknown)}" if unknown else f"is {dict(said)}"
            raise KernelError(
                f"{path}: CUDA {wrong}; it has sources and architectures, and may have flags"
            )
        sources = tuple(path.with_suffix("") / str(name) for name in said["sources"])
        for source in sources:
            if not source.is_file():
                raise KernelError(
                    f"{path}: CUDA names {source.name}, which isn't in {source.parent}"
                )
        files = tuple(file for file in source_files(path) if file != path)
        return cls(
            sources, files, tuple(said["architectures"]), tuple(map(str, said.get("flags", ())))
        )

    def target(self, capability: tuple[int, int]) -> str:
        """What to compile for a GPU of this compute capability. Raises KernelError for none."""
        own = f"{capability[0]}{capability[1]}"
        if f"{own}a" in self.architectures:
            return f"{own}a"
        older = [a for a in self.architectures if a.isdigit() and int(a) <= int(own)]
        if older:
            return own
        raise KernelError(
            f"{self.sources[0].name} is for {', '.join(self.architectures)}, and this GPU has "
            f"compute capability {capability[0]}.{capability[1]}"
        )


def find_nvcc() -> str:
    """The compiler's path. Raises NoCompiler."""
    found = find_program("nvcc")
    if found is None:
        raise NoCompiler(
            "needs nvcc, which isn't on this machine: install the CUDA toolkit, and put nvcc on "
            "PATH or the toolkit's folder into CUDA_HOME"
        )
    return found


@lru_cache(maxsize=8)
def version_of(nvcc: str) -> str:
    """What the compiler calls itself."""
    return _run([nvcc, "--version"], "nvcc --version").strip()


def library_path(recipe: Recipe, architectures: Sequence[str]) -> Path:
    """The library for ``architectures``, built if it isn't kept.

    Raises NoCompiler, and KernelError with the compiler's words where it doesn't build.
    """
    nvcc = find_nvcc()
    flags = [*FLAGS, *recipe.flags, *map(gencode, architectures)]
    kept = hashlib.sha256("\0".join([version_of(nvcc), *flags]).encode())
    for file in recipe.files:
        kept.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    folder = Path(os.environ.get(CACHE_VARIABLE) or cache_folder() / "cuda")
    path = folder / f"{recipe.sources[0].stem}-{kept.hexdigest()[:24]}.so"
    found_kept.append(path.is_file())
    if path.is_file():
        return path
    with _place_in(folder) as place:
        built = Path(place) / "library.so"
        what = " ".join(source.name for source in recipe.sources)
        command = [nvcc, *flags, "-o", str(built), *map(str, recipe.sources)]
        _run(command, f"nvcc doesn't build {what} for {', '.join(architectures)}")
        built.rename(path)  # whoever builds the same meanwhile has the same bytes
    return path


def _place_in(folder: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="building-", dir=folder)
    except OSError as error:
        raise KernelError(
            f"{folder}, where built kernels are kept, can't be written to ({error.strerror}): "
            f"name another folder in {CACHE_VARIABLE}"
        ) from error


def gencode(architecture: str) -> str:
    """nvcc's flag for one architecture."""
    return f"-gencode=arch=compute_{architecture},code=sm_{architecture}"


def _run(command: Sequence[str], what: str) -> str:
    """What a command printed. Raises KernelError with its words, the first error in front."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise KernelError(f"{what}: still running after {TIMEOUT_S:.0f} s, ended") from None
    except OSError as error:
        raise KernelError(f"{what}: {command[0]}: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[:WORDS] or f"exit code {done.returncode}"
        lines = said.splitlines()
        first = next((line for line in lines if "error" in line.lower()), lines[0])
        # one line for tables, and all of it for whoever looks closer
        raise KernelError(f"{what}: {first.strip()}" + (f"\n{said}" if len(lines) > 1 else ""))
    return done.stdout


def no_stream() -> int:
    """The default stream."""
    return 0


class Library:
    """A built library, loaded. ``launcher(name)`` is one of its functions."""

    def __init__(self, path: Path, stream: Callable[[], int] = no_stream) -> None:
        """``stream``: the cudaStream_t to launch on. Raises KernelError if it doesn't load."""
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise KernelError(f"{path} doesn't load: {error}") from error
        self._stream = stream

    def launcher(self, name: str) -> Callable[[ctypes.Structure], None]:
        """The function ``name`` as a call on the current stream; it raises LaunchError.

        Raises KernelError where the library has no such function.
        """
        function = self._function(name, ctypes.c_void_p, ctypes.c_void_p)
        stream = self._stream

        def launch(arguments: ctypes.Structure) -> None:
            code = function(ctypes.addressof(arguments), stream())
            if code:
                raise LaunchError(f"{name}: CUDA error {code}: {self.error_text(code)}")

        return launch

    def number(self, name: str, *arguments: int) -> int:
        """What a function of whole numbers gives, e.g. the size of its arguments."""
        return int(self._function(name, *[ctypes.c_int] * len(arguments))(*arguments))

    def error_text(self, code: int) -> str:
        """CUDA's words for an error."""
        function = self._function("cuda_error_text", ctypes.c_int)
        function.restype = ctypes.c_char_p
        return bytes(function(code)).decode()

    def _function(self, name: str, *types: type) -> Any:
        try:
            function = self._library[name]
        except AttributeError:
            raise KernelError(f"{self._library._name} has no function {name}") from None
        function.argtypes = types
        return function


def library_of(path: Path, said: Mapping[str, Any]) -> Callable[[torch.device], Library]:
    """What a kernel's file finds as ``library``: builds, keeps and loads for a CUDA device."""
    import torch

    def library(device: torch.device) -> Library:
        recipe = Recipe.of(path, said)
        architecture = recipe.target(torch.cuda.get_device_capability(device))
        built = library_path(recipe, [architecture])
        return Library(built, lambda: int(torch.cuda.current_stream(device).cuda_stream))

    return library
