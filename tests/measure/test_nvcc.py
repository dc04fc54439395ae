"""CUDA sources are built once, by however many processes; what fails is said in nvcc's words."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import torch

from harness.config.catalog import gpus, timings
from harness.errors import KernelError
from harness.measure import nvcc
from harness.measure.contract import attempt
from harness.measure.device_cpu import CpuDevice
from harness.measure.files import source_files
from harness.measure.job import run_job
from harness.measure.loader import load_kernel, source_hash
from harness.measure.nvcc import LaunchError, Library, NoCompiler, Recipe, library_path
from harness.measure.outcome import Outcome, Trial
from harness.measure.request import Request
from harness.measure.revision import kernel_revision
from harness.model import Environment, Job, Kernel, Problem, Record, Status
from harness.model.programs import find_program
from harness.operators.gates import Judgement

needs_nvcc = pytest.mark.skipif(
    find_program("nvcc") is None, reason="no nvcc: install the CUDA toolkit"
)
SOURCE = """
#include <cuda_runtime.h>
#include "../common/half.cuh"
__global__ void halve(float *x) { *x = half_of(*x); }
extern "C" int run(const void **x, void *stream) {
    halve<<<1, 1, 0, (cudaStream_t)stream>>>((float *)*x);
    return cudaGetLastError();
}
extern "C" const char *cuda_error_text(int code) { return cudaGetErrorString(cudaError_t(code)); }
"""
KERNEL = """
import ctypes

LAYOUT = "BHSD"
CUDA = {"sources": ["halve.cu"], "architectures": ["80"]}

class Arguments(ctypes.Structure):
    _fields_ = [("x", ctypes.c_void_p)]

def build(problem, device, options):
    launch = library(device).launcher("run")
    return lambda inputs: launch(Arguments(0))
"""
PROBLEM = Problem(1, 1, 4, 4, 8, 8, "fp32")


class Arguments(ctypes.Structure):
    _fields_ = (("x", ctypes.c_void_p),)


@pytest.fixture
def cuda_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a kernel in CUDA C++ and a header beside it; nothing is kept yet."""
    for name, text in {
        "halve.py": KERNEL,
        "halve/halve.cu": SOURCE,
        "common/half.cuh": "__device__ inline float half_of(float x) { return x / 2; }\n",
    }.items():
        path = tmp_path / "kernels" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv(nvcc.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))
    return tmp_path / "kernels" / "halve.py"


def kernel(file: Path) -> Kernel:
    return Kernel("halve", "attention", file.name, folder=str(file.parent))


def recipe(file: Path) -> Recipe:
    return Recipe.of(file, load_kernel(kernel(file)).CUDA)


def tried(file: Path) -> Outcome:
    return attempt(Trial(kernel(file), PROBLEM), torch.device("cpu"))


def recorded(file: Path) -> Record:
    """What a sweep writes down of it, on a CPU that passes for a GPU."""
    job = Job(kernel(file), PROBLEM, gpus()["cpu"], timings()["quick"])
    request = Request("a sweep", job, kernel_revision(kernel(file)))
    device = CpuDevice(1)

    def judge(which: int, outputs: object) -> Judgement:
        raise AssertionError("there is nothing to judge")

    return run_job(request, device, device.describe(), Environment(), judge)


@needs_nvcc
def test_it_is_built_once_and_again_when_a_header_changes(cuda_kernel: Path) -> None:
    before = len(nvcc.found_kept)
    first = library_path(recipe(cuda_kernel), ["80"])
    assert library_path(recipe(cuda_kernel), ["80"]) == first
    header = cuda_kernel.parent / "common" / "half.cuh"
    header.write_text(header.read_text() + "// edited\n")
    assert library_path(recipe(cuda_kernel), ["80"]) != first
    assert nvcc.found_kept[before:] == [False, True, False]
    assert sorted(p.suffix for p in first.parent.iterdir()) == [".so", ".so"]


@needs_nvcc
@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU: nothing fails")
def test_without_a_gpu_it_loads_and_a_launch_raises_what_cuda_says(cuda_kernel: Path) -> None:
    library = Library(library_path(recipe(cuda_kernel), ["80"]))
    with pytest.raises(LaunchError, match=r"^run: CUDA error \d+: CUDA driver version"):
        library.launcher("run")(Arguments(0))
    with pytest.raises(KernelError, match="has no function walk"):
        library.launcher("walk")


@needs_nvcc
def test_a_build_that_fails_says_what_nvcc_says(cuda_kernel: Path) -> None:
    source = cuda_kernel.parent / "halve" / "halve.cu"
    source.write_text(source.read_text().replace("half_of(*x)", "third_of(*x)"))
    outcome = tried(cuda_kernel)
    assert outcome.status == "broken"
    found = recorded(cuda_kernel)
    assert found.status == Status.ERROR
    for reason in (outcome.reason.splitlines()[0], found.reason):
        assert reason.startswith("nvcc doesn't build halve.cu for 86: ")
        assert 'error: identifier "third_of" is undefined' in reason
    assert "\n" not in found.reason
    assert '1 error detected in the compilation of "' in found.log
    assert not list((cuda_kernel.parents[1] / "cache").iterdir())


def test_without_nvcc_it_is_refused_with_what_to_do(
    cuda_kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvcc, "find_program", lambda name: None)
    with pytest.raises(NoCompiler, match="install the CUDA toolkit"):
        library_path(recipe(cuda_kernel), ["80"])
    outcome, found = tried(cuda_kernel), recorded(cuda_kernel)
    assert outcome.status == "refused"
    assert found.status == Status.SKIPPED
    for reason in (outcome.reason, found.reason):
        assert reason.startswith("needs nvcc, which isn't on this machine: install the CUDA")


@needs_nvcc
def test_processes_that_build_the_same_at_once_get_the_same(cuda_kernel: Path) -> None:
    program = dedent(f"""
        from pathlib import Path
        from harness.measure.nvcc import Library, Recipe, library_path
        said = {{"sources": ["halve.cu"], "architectures": ["80"]}}
        path = library_path(Recipe.of(Path({str(cuda_kernel)!r}), said), ["80"])
        Library(path).launcher("run")
        print(path)
    """)
    command = [sys.executable, "-c", program]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate()[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(printed) == 1
    assert [p.name for p in (cuda_kernel.parents[1] / "cache").iterdir()] == [
        Path(printed.pop().strip()).name
    ]


@pytest.mark.parametrize(
    ("named", "capability", "target"),
    [
        (("80",), (8, 0), "80"),
        (("80",), (8, 9), "89"),
        (("80",), (12, 0), "120"),
        (("80", "90a"), (9, 0), "90a"),
        (("80", "90a"), (10, 0), "100"),
        (("80",), (7, 5), None),
        (("90a",), (10, 0), None),
        (("90a",), (8, 0), None),
    ],
)
def test_what_is_compiled_for_a_gpu(
    named: tuple[str, ...], capability: tuple[int, int], target: str | None
) -> None:
    made = Recipe((Path("x.cu"),), (), named)
    if target is None:
        with pytest.raises(KernelError, match=r"x\.cu is for .* has\s+compute capability"):
            made.target(capability)
    else:
        assert made.target(capability) == target


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"sources": ["halve.cu"]}, "it has sources and architectures"),
        ({"sources": ["halve.cu"], "architectures": ["80"], "arch": "80"}, "CUDA has arch"),
        ({"sources": ["third.cu"], "architectures": ["80"]}, "third.cu, which isn't in"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(
    said: dict[str, object], wrong: str, cuda_kernel: Path
) -> None:
    with pytest.raises(KernelError, match=wrong):
        Recipe.of(cuda_kernel, said)


def test_a_kernel_s_version_covers_what_its_sources_include(cuda_kernel: Path) -> None:
    names = [file.name for file in source_files(cuda_kernel)]
    assert names == ["halve.py", "halve.cu", "half.cuh"]
    before = source_hash(cuda_kernel)
    header = cuda_kernel.parent / "common" / "half.cuh"
    header.write_text(header.read_text() + "// edited\n")
    assert source_hash(cuda_kernel) != before


def test_a_kernel_says_that_nvcc_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for name in ("CUDA_HOME", "CUDA_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("harness.model.programs.CUDA_FOLDER", Path("/nowhere"))
    wanting = Kernel("k", "attention", "k.py", programs=("nvcc",))
    assert wanting.lacking == ("nvcc",)
    assert "CUDA toolkit" in wanting.remedy


def test_nvcc_is_looked_for_where_a_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "nvcc"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert find_program("nvcc") == str(program)
