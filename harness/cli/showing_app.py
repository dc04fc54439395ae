"""Commands that show what is stored: tables, reports, charts, the live app."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.guard import guarded
from harness.cli.options import (
    Baseline,
    Dtypes,
    Experiments,
    GpuNames,
    KernelNames,
    OutFile,
    ShownSweep,
    Since,
    StoreUrl,
    Workloads,
)

showing_app = typer.Typer()


class ResultFormat(StrEnum):
    """How ``results`` prints."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class ReportFormat(StrEnum):
    """What ``report`` writes."""

    html = "html"
    md = "md"


@showing_app.command()
@guarded
def results(
    kernel: KernelNames = None,
    dtype: Dtypes = None,
    gpu: GpuNames = None,
    experiment: Experiments = None,
    status: Annotated[list[str] | None, typer.Option(help="ok, skipped, incorrect …")] = None,
    since: Since = None,
    sweep: Annotated[str | None, typer.Option(help="Sweep id, or `last`.")] = None,
    format: Annotated[ResultFormat, typer.Option("--format", help="Output format.")] = (
        ResultFormat.table
    ),
    out: OutFile = None,
    excluded: Annotated[
        bool, typer.Option("--excluded", help="Also what `store exclude` marked, with its reason.")
    ] = False,
    external: Annotated[
        bool, typer.Option("--external", help="What other tools measured (not checked) instead.")
    ] = False,
    store: StoreUrl = None,
) -> int:
    """Show or export what is stored: latency with its interval, TFLOP/s, memory, error.

    --external takes --since, --format and --out.
    """
    if external:
        from harness.cli.results_external import external_command

        others = (kernel, dtype, gpu, experiment, status, sweep, excluded)
        return external_command(since, str(format), out, store, any(others))
    from harness.cli.results import results_command

    filters = {
        "kernel": kernel,
        "dtype": dtype,
        "gpu": gpu,
        "experiment": experiment,
        "status": status,
        "since": since,
        "sweep": sweep,
        "excluded": excluded,
    }
    return results_command(filters, str(format), out, store)


@showing_app.command()
@guarded
def report(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Where it goes (default: results/report.html or .md)."
        ),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option("--site", metavar="DIR", help="Write all pages there, as a static site."),
    ] = None,
    page: Annotated[str, typer.Option(help="Which page the one file is.")] = "sweep",
    format: Annotated[ReportFormat, typer.Option("--format", help="Output format.")] = (
        ReportFormat.html
    ),
    sweep: ShownSweep = "last",
    baseline: Baseline = None,
    kernel: KernelNames = None,
    dtype: Dtypes = None,
    gpu: GpuNames = None,
    workload: Workloads = None,
    store: StoreUrl = None,
) -> int:
    """Write one self-contained HTML file that works without a network, or a site of all pages."""
    from harness.cli.report import report_command, view_of

    view = view_of(sweep, baseline, kernel, dtype, gpu, workload)
    return report_command(out, site, page, str(format), view, store)


@showing_app.command()
@guarded
def dashboard(
    port: Annotated[int, typer.Option(help="Port to listen at.", min=1, max=65535)] = 8501,
    address: Annotated[
        str, typer.Option(help="Address to listen at; anyone who reaches it sees the store.")
    ] = "127.0.0.1",
    public_url: Annotated[
        str,
        typer.Option(
            metavar="URL", help="What visitors type where a proxy stands before it: https://host/at"
        ),
    ] = "",
    store: StoreUrl = None,
) -> int:
    """Serve the pages as a live app on this machine, read-only (needs the extra `dashboard`)."""
    from harness.cli.dashboard import dashboard_command

    return dashboard_command(address, port, public_url, store)


@showing_app.command()
@guarded
def chart(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which; without a name, the list.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="x.png or x.svg (default: results/NAME.png)."),
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="For a dark background.")] = False,
    sweep: ShownSweep = "last",
    baseline: Baseline = None,
    kernel: KernelNames = None,
    dtype: Dtypes = None,
    gpu: GpuNames = None,
    workload: Workloads = None,
    store: StoreUrl = None,
) -> int:
    """Write one chart of the report as a picture."""
    from harness.cli.report import chart_command, view_of

    view = view_of(sweep, baseline, kernel, dtype, gpu, workload)
    return chart_command(name, out, dark, view, store)
