"""Options that several groups of commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Analysed(StrEnum):
    """How tables of an analysis are printed."""

    table = "table"
    md = "md"
    json = "json"
    csv = "csv"


class Told(StrEnum):
    """How what is told in words is printed."""

    text = "text"
    md = "md"
    json = "json"


StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Result database: a file, sqlite:///… or postgresql+psycopg://… "
        "(default: ATTNBENCH_STORE, else results/attnbench.db).",
        show_default=False,
    ),
]

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[OVERRIDE]...",
        help="Hydra overrides: experiment=quickstart, kernel=eager, workload.seq_len=2048 …",
        show_default=False,
    ),
]
Multirun = Annotated[
    bool,
    typer.Option("-m", "--multirun", help="Allow sweeps in overrides: a,b · range() · glob()."),
]
KernelDirs = Annotated[
    list[Path] | None,
    typer.Option(
        "--kernels",
        metavar="DIR",
        help="A folder of your own kernels (*.py and conf/kernel/*.yaml); repeatable. "
        "ATTNBENCH_KERNELS=DIR:DIR does the same.",
        show_default=False,
    ),
]

KernelNames = Annotated[
    list[str] | None, typer.Option("--kernel", help="Kernel name or glob.", show_default=False)
]
Dtypes = Annotated[list[str] | None, typer.Option("--dtype", help="Element type.")]
GpuNames = Annotated[list[str] | None, typer.Option("--gpu", help="GPU name asked for.")]
Experiments = Annotated[list[str] | None, typer.Option("--experiment", help="Experiment name.")]
Workloads = Annotated[list[str] | None, typer.Option("--workload", help="Workload name.")]
Since = Annotated[str | None, typer.Option("--since", help="ISO date or time, or 7d, 12h.")]
OutFile = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write here.")]
ShownSweep = Annotated[
    str, typer.Option(help="Sweep id, `last`, or `all`: the newest of each series.")
]
Baseline = Annotated[str | None, typer.Option(help="Kernel that speed-ups are relative to.")]
