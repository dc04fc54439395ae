"""Imports point one way, and the worker's side needs torch, numpy and yaml alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "errors": set(),
    "masking": set(),
    "amd": set(),
    "hardware": {"errors", "model", "amd"},
    "model": {"errors"},
    "config": {"errors", "model"},
    "operators": {"errors", "model"},
    "store": {"errors", "model"},
    "importers": {"errors", "model"},
    "plan": {"errors", "hardware", "model", "config", "operators"},
    "measure": {"errors", "hardware", "model", "config", "operators"},
    # operators for the torch-free half: what a KV cache takes is a formula of the problem,
    # so that metric covers all of history without a column of its own.
    "analysis": {"errors", "model", "config", "operators", "store"},
    "dispatch": {"errors", "hardware", "model", "config", "operators", "plan", "store", "measure"},
    # store and config for the live app, which is a program of its own and opens what it shows.
    "dashboards": {"errors", "model", "analysis", "store", "config"},
    "cli": None,  # the top: everything
}
"""What each part of the house may import of the others."""

FOREIGN = (
    "ray",
    "hydra",
    "omegaconf",
    "sqlalchemy",
    "alembic",
    "pandas",
    "altair",
    "typer",
    "rich",
)
"""What a bare worker need not have."""


def part_of(path: Path) -> str:
    """Which part of the house a file belongs to."""
    if path.parts[0] == "dashboards":
        return "dashboards"
    return path.parts[1].removesuffix(".py") if len(path.parts) > 1 else ""


def imported_parts(path: Path) -> set[str]:
    """Parts that a file imports, at its top or inside its functions."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
            if node.module == "harness":
                names = [f"harness.{alias.name}" for alias in node.names]
        for name in names:
            words = name.split(".")
            if words[0] == "dashboards":
                found.add("dashboards")
            elif words[0] == "harness" and len(words) > 1:
                found.add(words[1])
    return found


def sources() -> list[Path]:
    folders = (ROOT / "harness", ROOT / "dashboards")
    files = [f for folder in folders for f in folder.rglob("*.py")]
    return sorted(f.relative_to(ROOT) for f in files)


@pytest.mark.parametrize("path", sources(), ids=str)
def test_imports_point_one_way(path: Path) -> None:
    part = part_of(path)
    if part == "__init__" or MAY_IMPORT.get(part, set()) is None:
        return
    assert part in MAY_IMPORT, f"{part} is new: say here what it may import"
    allowed = (MAY_IMPORT[part] or set()) | {part, "__version__"}
    assert imported_parts(path) <= allowed


def test_kernels_import_neither_the_harness_nor_each_other() -> None:
    for path in (ROOT / "kernels").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                assert (node.module or "").split(".")[0] not in ("harness", "kernels"), path
            elif isinstance(node, ast.Import):
                assert not {a.name.split(".")[0] for a in node.names} & {"harness", "kernels"}, path


def test_kernels_is_no_package() -> None:
    assert not list((ROOT / "kernels").rglob("__init__.py"))


def test_the_worker_side_imports_with_torch_numpy_and_yaml_alone() -> None:
    """Everything that a job goes through, where nothing else can be found."""
    program = f"""
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {FOREIGN!r}:
            return None
        return self.finder.find_spec(name, path, target)
sys.meta_path = [Without(finder) for finder in sys.meta_path]
import harness.measure.__main__, harness.measure.child, harness.measure.server
import harness.measure.supervisor, harness.measure.revision
from harness.operators import operator_names, reference, cost_model
for name in operator_names():
    reference(name), cost_model(name)
print("all there")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "all there\n", done.stderr
