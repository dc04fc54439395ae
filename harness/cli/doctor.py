"""``attnbench doctor``: what this machine has, and what it can run."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import harness
from harness.cli.availability import why_not
from harness.cli.common import store_url, user_kernel_dirs
from harness.errors import AttnbenchError
from harness.model import Gpu, Kernel
from harness.model.gpu import CPU
from harness.model.programs import find_program

GOOD, BAD = "[green]yes[/green]", "[yellow]no[/yellow]"


def doctor_command(kernels: list[Path], store: str | None) -> int:
    """Body of ``attnbench doctor``; returns the exit code: 0 where something can be measured."""
    console = Console()
    _machine(console)
    devices = _devices(console)
    usable = _kernels(user_kernel_dirs(kernels), devices, console)
    _store(store_url(store), console)
    return 0 if usable else 1


def _machine(console: Console) -> None:
    import torch

    cuda = torch.version.cuda or torch.version.hip or "none: this torch has no CUDA"
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    nvcc = find_program("nvcc")
    rows = {
        "attnbench": harness.__version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "CUDA of torch": cuda,
        "C++ compiler": compiler
        or "none: compiled kernels (flex) can't run on the CPU; "
        "Debian and Ubuntu: apt-get install g++",
        "nvcc": nvcc or "none: CUDA C++ kernels can't be built here",
    }
    for name, value in rows.items():
        console.print(f"{name:14} {escape(str(value))}", highlight=False)


def _devices(console: Console) -> list[Gpu]:
    from harness.config.catalog import gpus as known_gpus
    from harness.hardware import boards, cpu_model, local_gpus, usable_cores

    known_here = known_gpus()
    console.print(f"{'CPU':14} {escape(cpu_model())}, {usable_cores()} cores", highlight=False)
    for board in boards():
        console.print(
            f"{f'GPU {board.index}':14} {escape(board.name)}, {board.memory_gib:.0f} GiB, "
            f"compute capability {board.compute_capability}, {board.uuid}",
            highlight=False,
        )
    gpus = [*local_gpus(known_here), known_here[CPU]]
    for gpu in gpus:
        known = "" if gpu.peak_tflops else "  (no datasheet figures: no % of peak)"
        console.print(f"{'target':14} gpu={escape(gpu.name)}{known}", highlight=False)
    return gpus


def _kernels(folders: list[Path], devices: list[Gpu], console: Console) -> int:
    """A line a kernel; how many are usable here."""
    from harness.config.catalog import kernels

    found = kernels(folders)

    table = Table(box=None, pad_edge=False)
    for column in ("kernel", "operator", "usable", "why not"):
        table.add_column(column, overflow="fold")
    usable = 0
    for name, error in found.errors.items():
        table.add_row(escape(name), "", BAD, escape(error))
    for name, kernel in sorted(found.items()):
        reason = _why_not(kernel, devices)
        usable += reason is None
        table.add_row(escape(name), kernel.operator, BAD if reason else GOOD, escape(reason or ""))
    console.print()
    console.print(table)
    return usable


def _why_not(kernel: Kernel, devices: list[Gpu]) -> str | None:
    """Why a kernel can't run on any device here, or None: its file is loaded to see."""
    from harness.measure.loader import load_kernel

    if (reason := why_not(kernel, devices)) is not None:
        return reason
    try:
        load_kernel(kernel)
    except AttnbenchError as error:
        return str(error)
    return None


def _store(url: str, console: Console) -> None:
    from harness.store import open_store

    console.print()
    try:
        with open_store(url, read_only=True) as store:
            console.print(
                f"store          {escape(store.safe_url)}: {len(store.sweeps())} sweeps",
                highlight=False,
            )
    except AttnbenchError as error:
        console.print(f"store          {escape(str(error))}", highlight=False)
