"""The program: commands that plan, measure and look around. The bodies live beside this file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import harness
from harness.cli.changes_app import changes_app
from harness.cli.comparing_app import comparing_app
from harness.cli.guard import guarded
from harness.cli.options import KernelDirs, Multirun, Overrides, StoreUrl
from harness.cli.showing_app import showing_app
from harness.cli.store_app import store_app

app = typer.Typer(
    name="attnbench",
    help="Benchmark attention kernels: which is fastest and right, on each of your GPUs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class PlanFormat(StrEnum):
    """How ``plan`` prints."""

    table = "table"
    json = "json"
    requests = "requests"


class Printed(StrEnum):
    """How ``selftest`` and ``status`` print."""

    table = "table"
    json = "json"


class Listable(StrEnum):
    """What ``list`` lists."""

    kernels = "kernels"
    gpus = "gpus"
    workloads = "workloads"
    experiments = "experiments"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"attnbench {harness.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


@app.command()
@guarded
def run(
    overrides: Overrides = None,
    multirun: Multirun = False,
    kernels: KernelDirs = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write the HTML report here at the end."),
    ] = None,
    cfg: Annotated[
        str | None,
        typer.Option("--cfg", metavar="job", help="Print the composed config and run nothing."),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="FILE", help="Append events as JSON lines; - is stderr."),
    ] = None,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Hand the sweep to the cluster (Ray Jobs) and return."),
    ] = False,
) -> int:
    """Measure a matrix: plan it, dispatch it, store every result as it arrives.

    resume=true goes on with this command's latest unfinished sweep, resume=SWEEP with that one.
    """
    if detach:
        from harness.cli.detach import detach_command

        return detach_command(overrides or [], multirun, kernels or [], report, cfg, log)
    from harness.cli.run import run_command

    return run_command(overrides or [], multirun, kernels or [], report, cfg, log)


@app.command()
@guarded
def status(
    sweep: Annotated[str | None, typer.Argument(help="One sweep: its id, or `last`.")] = None,
    store: StoreUrl = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="HOST:PORT", help="Show its nodes too.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="Sweeps shown.", min=1)] = 10,
    format: Annotated[Printed, typer.Option("--format", help="Output format.")] = Printed.table,
) -> int:
    """Say how far sweeps have come: the running ones first; failures by reason, and each machine.

    It reads the store that the sweep writes: --store, or ATTNBENCH_STORE.
    """
    from harness.cli.status import status_command

    return status_command(sweep, store, cluster, limit, str(format))


@app.command()
@guarded
def cancel(
    sweep: Annotated[str, typer.Argument(help="Its id, or `last`.")], store: StoreUrl = None
) -> int:
    """End a running sweep, wherever its driver runs. What is measured stays; resume goes on."""
    from harness.cli.status import cancel_command

    return cancel_command(sweep, store)


@app.command()
@guarded
def plan(
    overrides: Overrides = None,
    multirun: Multirun = False,
    kernels: KernelDirs = None,
    format: Annotated[PlanFormat, typer.Option("--format", help="Output format.")] = (
        PlanFormat.table
    ),
) -> int:
    """Show what would run, what is skipped and why, and about how long it takes.

    --format requests writes what `python -m harness.measure` measures on a machine with torch only.
    """
    from harness.cli.plan import plan_command

    return plan_command(overrides or [], multirun, kernels or [], str(format))


@app.command(name="list")
@guarded
def list_(
    what: Annotated[Listable, typer.Argument(help="What to list.")],
    kernels: KernelDirs = None,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> int:
    """List kernels, gpus, workloads or experiments."""
    from harness.cli.listing import list_command

    return list_command(str(what), kernels or [], format)


@app.command()
@guarded
def doctor(kernels: KernelDirs = None, store: StoreUrl = None) -> int:
    """Say what this machine has: devices, which kernels are usable and why not, the store."""
    from harness.cli.doctor import doctor_command

    return doctor_command(kernels or [], store)


@app.command()
@guarded
def selftest(
    overrides: Overrides = None,
    kernels: KernelDirs = None,
    format: Annotated[Printed, typer.Option("--format", help="Output format.")] = Printed.table,
) -> int:
    """Measure kernels against themselves: how often this machine misleads, what it could detect.

    Overrides change the small matrix that it uses: gpu=h100, timing=precise, kernel=flex …
    Exit code 3: too noisy to compare kernels here.
    """
    from harness.cli.selftest import selftest_command

    return selftest_command(overrides or [], kernels or [], str(format))


@app.command()
@guarded
def check(
    kernel: Annotated[str, typer.Argument(metavar="KERNEL", help="Its name.")],
    kernels: KernelDirs = None,
) -> int:
    """Hold one kernel to every claim of its yaml: right, inputs untouched, edge shapes.

    Exit code 1 where something failed.
    """
    from harness.cli.check import check_command

    return check_command(kernel, kernels or [])


@app.command()
@guarded
def cost(
    overrides: Overrides = None,
    multirun: Multirun = False,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> int:
    """FLOPs, bytes, intensity, score-matrix and KV-cache size of a problem; measures nothing."""
    from harness.cli.cost import cost_command

    return cost_command(overrides or [], multirun, format)


for group in (showing_app, comparing_app, changes_app):
    app.add_typer(group)  # without a name: its commands are commands of the program
app.add_typer(store_app, name="store")
