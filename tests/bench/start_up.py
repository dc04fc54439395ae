"""Whole commands in fresh processes: start-up, and planning large matrices."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from tests.bench.row import Row, row, timed

COMMAND = [sys.executable, "-P", "-c", "from harness.cli import main; main()"]
KERNELS = "kernel=eager,eager_lowp,sdpa_math,sdpa_flash,flex"
MATRICES = {
    "10,000 cells": ("workload.seq_len=range(64,16064,64)", "workload.batch=1,2,4,8", 3, 2),
    "100,000 cells": ("workload.seq_len=range(8,20008,8)", "workload.batch=1,2,4,8", 3, 10),
}


def run(*arguments: str) -> None:
    """One command, its output thrown away; it must succeed."""
    subprocess.run([*COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL)


def rows() -> Iterator[Row]:
    """Start-up of the quick commands, and plans of 10,000 and 100,000 cells."""
    for name, arguments in (("--help", ["--help"]), ("list kernels", ["list", "kernels"])):
        times = [timed(lambda a=arguments: run(*a)) for _ in range(7)]  # type: ignore[misc]
        yield row(f"attnbench {name}", times, "s", "< 0.5 s")
    for name, (lengths, batches, repeats, bound) in MATRICES.items():
        plan = ["plan", "-m", KERNELS, lengths, batches, "dtype=fp32,bf16", "gpu=cpu"]
        times = [timed(lambda p=plan: run(*p, "--format", "json")) for _ in range(repeats)]  # type: ignore[misc]
        yield row(f"attnbench plan, {name}", times, "s", f"< {bound} s")
