"""What every kernel file and yaml owes, and every claim on a GPU where there is one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

from harness.config.paths import conf_dir, kernels_dir
from harness.model import Gpu
from harness.operators import operator_names
from harness.operators.inputs import LAYOUTS
from tests.kernels.claims import claimed, module, problems, run, shipped

FILES = sorted(kernels_dir().rglob("*.py"))


def imported(file: Path) -> set[str]:
    """Top-level names of the packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_kernel_keeps_the_contract(name: str) -> None:
    kernel, code = shipped()[name], module(name)
    assert callable(code.build)
    assert code.LAYOUT in LAYOUTS
    assert kernel.operator in operator_names()
    assert (conf_dir() / "kernel" / f"{name}.yaml").is_file()
    assert kernel.file.startswith(f"{kernel.operator}/")
    assert kernel.description
    assert kernel.limits
    assert all(limits.dtypes and limits.masks for _, limits in kernel.limits)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(kernels_dir())))
def test_a_kernel_file_says_its_shapes_and_imports_neither_harness_nor_another(file: Path) -> None:
    text = file.read_text()
    doc = ast.get_docstring(ast.parse(text)) or ""
    assert "Shapes:" in doc
    assert "arXiv" in doc
    names = imported(file)
    assert not names & {"harness", "kernels", "dashboards", "tests"}
    assert not names & {other.stem for other in FILES}
    assert not any(name.startswith(".") for name in names)
    most = 400 if "@triton.jit" in text else 150  # a fused kernel and its gradient are one file
    assert 30 <= len(text.splitlines()) <= most


def test_no_kernels_folder_is_an_import_package() -> None:
    """Hugging Face ships an import package called kernels, which one here would shadow."""
    assert FILES
    assert not list(kernels_dir().rglob("__init__.py"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("name", "dtype", "direction"), claimed("cuda"))
def test_what_is_claimed_on_a_gpu_is_right(name: str, dtype: str, direction: str) -> None:
    major, minor = torch.cuda.get_device_capability()
    gpu = Gpu("this", "cuda", compute_capability=major + minor / 10)
    cases = list(problems(name, dtype, direction, gpu))
    if not cases:
        pytest.skip(f"nothing claimed for compute capability {major}.{minor}")
    device = torch.device("cuda")
    wrong = {p.summary(): r for p in cases if (r := run(name, p, device))}
    assert wrong == {}
