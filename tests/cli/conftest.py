"""Runs ``attnbench`` as a user does: a fresh process in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]

TINY = [
    "gpu=cpu",
    "dtype=fp32",
    "workload=gpt2",
    "workload.heads_q=2",
    "workload.head_dim=16",
    "timing=quick",
    "timing.warmup_s=0.01",
    "timing.min_time_s=0.0",
    "timing.budget_s=0.2",
]
"""A cell that takes a few hundredths of a second."""


def attnbench_command() -> list[str]:
    """The program, from this very environment; -P as the console script has it."""
    return [sys.executable, "-P", "-c", "from harness.cli import main; main()"]


@pytest.fixture
def cli(empty_folder: Path) -> Cli:
    """``cli("plan", …)`` in an empty folder; text captured, 120 s at most."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*attnbench_command(), *arguments],
            cwd=empty_folder,
            env={**os.environ, "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
