"""The built wheel is whole: it plans and runs a small sweep from an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAVELS = ("harness", "dashboards", "conf", "kernels", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel holds, built from a copy of the sources."""
    copy = tmp_path_factory.mktemp("sources")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in TRAVELS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=ignore)
        else:
            shutil.copy(source, copy)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"]
    done = subprocess.run(build, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (copy / "dist").glob("*.whl")
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def test_every_file_travels(site: Path) -> None:
    for folder, inside in (
        ("harness", "harness"),
        ("dashboards", "dashboards"),
        ("conf", "harness/conf"),
        ("kernels", "harness/kernels"),
    ):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                name = file.relative_to(ROOT / folder)
                assert (site / inside / name).is_file(), f"{folder}/{name} isn't in the wheel"


def test_it_plans_runs_and_reports_from_an_empty_folder(site: Path, empty_folder: Path) -> None:
    def attnbench(*arguments: str) -> str:
        program = "from harness.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, *arguments],
            cwd=empty_folder,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    tiny = ["gpu=cpu", "dtype=fp32", "workload.seq_len=32", "timing=quick", "timing.budget_s=0.1"]
    plan = json.loads(attnbench("plan", "-m", "kernel=eager,numpy", *tiny, "--format", "json"))
    assert len(plan["jobs"]) == 2
    attnbench("run", "-m", "kernel=eager,numpy", *tiny, "--report", "report.html")
    rows = json.loads(attnbench("results", "--format", "json"))
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert "eager" in (empty_folder / "report.html").read_text()
    program = "import harness; print(harness.__file__)"
    found = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith(str(site))  # it was the wheel's harness that ran
