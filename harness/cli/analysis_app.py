"""Commands that look at what is stored: results, reports, comparisons, history, claims."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.guard import guarded
from harness.cli.options import (
    Dtypes,
    Experiments,
    GpuNames,
    KernelDirs,
    KernelNames,
    OutFile,
    Overrides,
    Since,
    StoreUrl,
    Workloads,
)

analysis_app = typer.Typer()

ShownSweep = Annotated[
    str, typer.Option(help="Sweep id, `last`, or `all`: the newest of each series.")
]
Baseline = Annotated[str | None, typer.Option(help="Kernel that speed-ups are relative to.")]


class ClaimsAs(StrEnum):
    """How ``claims`` prints."""

    text = "text"
    md = "md"
    json = "json"


class ResultFormat(StrEnum):
    """How ``results`` prints."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class Analysed(StrEnum):
    """How ``compare`` and ``history`` print."""

    table = "table"
    md = "md"
    json = "json"
    csv = "csv"


class ReportFormat(StrEnum):
    """What ``report`` writes."""

    html = "html"
    md = "md"


@analysis_app.command()
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


@analysis_app.command()
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


@analysis_app.command()
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


@analysis_app.command()
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


@analysis_app.command()
@guarded
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="What ratios are relative to.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What is compared with it.")],
    by: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS",
            help="A and B are values of: kernel, gpu, board, dtype, direction, env.torch, "
            "env.driver, commit, source, library_version …",
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option(help="latency, tflops, bandwidth, memory, energy, accuracy …")
    ] = "latency",
    kernel: KernelNames = None,
    dtype: Dtypes = None,
    gpu: GpuNames = None,
    experiment: Experiments = None,
    sweep: Annotated[list[str] | None, typer.Option(help="Sweep id: with --by.")] = None,
    since: Since = None,
    least_effect: Annotated[
        float | None, typer.Option(help="Least change that counts, a share (0.02 is 2 %).")
    ] = None,
    limit: Annotated[int, typer.Option(help="Rows of the table; 0 for all.")] = 40,
    format: Annotated[Analysed, typer.Option("--format", help="Output format.")] = Analysed.table,
    out: OutFile = None,
    store: StoreUrl = None,
) -> int:
    """Compare B with A: sweeps, tags, commits, dates, or with --by kernels, GPUs, versions …

    A and B are a sweep's id or its beginning, a tag, a sweep's name (nightly, nightly~1 before it),
    last, last~1, a commit, a date (as of its end) or an age (7d). sweep:, tag:, commit:, date:
    before it says which is meant.
    """
    from harness.analysis.compare.reading import Filters
    from harness.cli.compare import compare_command

    filters = Filters(kernel, dtype, gpu, experiment, sweep, since)
    return compare_command(
        (a, b), by, metric, filters, least_effect, limit, str(format), out, store
    )


@analysis_app.command()
@guarded
def hardware(
    by: Annotated[
        str,
        typer.Option(help="latency, tflops, peak, bandwidth, roofline, watt, energy, money."),
    ] = "latency",
    reference: Annotated[
        str | None, typer.Option(metavar="GPU", help="Show ratios to this GPU.")
    ] = None,
    predict: Annotated[
        str | None,
        typer.Option(metavar="GPU", help="Predict a GPU that wasn't measured, by roofline."),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(metavar="GPU=PRICE", help="Price an hour; also price_per_hour in conf/gpu."),
    ] = None,
    kernel: KernelNames = None,
    dtype: Dtypes = None,
    gpu: GpuNames = None,
    workload: Workloads = None,
    experiment: Experiments = None,
    sweep: Annotated[list[str] | None, typer.Option(help="Sweep id (default: all).")] = None,
    since: Since = None,
    format: Annotated[Analysed, typer.Option("--format", help="Output format.")] = Analysed.table,
    out: OutFile = None,
    store: StoreUrl = None,
) -> int:
    """Compare GPUs: a row a problem, a column a GPU, each with its fastest kernel (--kernel: one).

    Of each series and board its newest result counts. Tells how far each GPU is from its roofline,
    how boards of one model differ, and where software or protocol aren't the same.
    """
    from harness.cli.hardware import hardware_command

    filters = {"kernel": kernel, "dtype": dtype, "gpu": gpu, "workload": workload}
    filters |= {"experiment": experiment, "sweep": sweep, "since": since}  # type: ignore[dict-item]
    return hardware_command(filters, by, reference, predict, price or [], str(format), out, store)


@analysis_app.command()
@guarded
def scaling(
    sweep: ShownSweep = "all",
    kernel: KernelNames = None,
    dtype: Dtypes = None,
    gpu: GpuNames = None,
    workload: Workloads = None,
    beyond: Annotated[
        bool,
        typer.Option(
            "--beyond/--measured", help="Foretell crossings beyond the longest length too."
        ),
    ] = True,
    format: Annotated[ClaimsAs, typer.Option("--format", help="Output format.")] = ClaimsAs.text,
    out: OutFile = None,
    store: StoreUrl = None,
) -> int:
    """Show how time grows with length: exponents, changes of regime, where kernels cross.

    Exit code 3: no kernel was measured at three lengths of one problem.
    """
    from harness.cli.report import view_of
    from harness.cli.scaling import scaling_command

    view = view_of(sweep, None, kernel, dtype, gpu, workload)
    return scaling_command(view, beyond, str(format), out, store)


@analysis_app.command()
@guarded
def gate(
    baseline: Annotated[
        str,
        typer.Argument(
            metavar="BASELINE",
            help="Hold it to this: sweep, tag, commit, date (see compare), branch:NAME, history.",
        ),
    ],
    candidate: Annotated[
        str, typer.Argument(metavar="[CANDIDATE]", help="What is judged.")
    ] = "last",
    config: Annotated[
        str, typer.Option("--config", help="Option of conf/gate, or a yaml file.")
    ] = "default",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="metrics.latency_ms=0.1 …; repeatable."),
    ] = None,
    kernel: KernelNames = None,
    dtype: Dtypes = None,
    gpu: GpuNames = None,
    experiment: Experiments = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="JUnit XML goes here.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="JSON here.")] = None,
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm",
            help="Measure suspects again before they are called, in turns with the baseline's "
            "version where its commit is at hand.",
        ),
    ] = False,
    launches: Annotated[int, typer.Option(help="With --confirm: a side and cell.")] = 5,
    kernels: KernelDirs = None,
    cluster: Annotated[str, typer.Option(help="With --confirm: option of conf/cluster.")] = "local",
    store: StoreUrl = None,
) -> int:
    """For a CI: did anything regress against the baseline? Prints Markdown.

    Exit codes: 0 a regression is ruled out; 1 something regressed, or fails now; 2 wrong usage or a
    failure of the tool; 3 not enough evidence.
    """
    from harness.analysis.compare.reading import Filters
    from harness.cli.gate import Again, gate_command

    filters = Filters(kernel, dtype, gpu, experiment)
    again = Again(launches, tuple(kernels or ()), cluster) if confirm else None
    return gate_command(baseline, candidate, config, set_ or [], filters, junit, json, store, again)


@analysis_app.command()
@guarded
def history(
    metric: Annotated[
        list[str] | None,
        typer.Option(help="latency_ms, tflops, peak_memory_mb … (default: what others follow)."),
    ] = None,
    kernel: KernelNames = None,
    dtype: Dtypes = None,
    gpu: GpuNames = None,
    workload: Workloads = None,
    since: Annotated[
        str | None, typer.Option(help="Events since then: ISO date or time, or 7d, 12h.")
    ] = None,
    series: Annotated[str | None, typer.Option(help="One series: its key's beginning.")] = None,
    event: Annotated[str | None, typer.Option(help="One event in full, by its key.")] = None,
    min_effect: Annotated[
        float | None, typer.Option(help="Least change that matters (default: the metric's own).")
    ] = None,
    external: Annotated[
        bool, typer.Option("--external", help="What other tools measured (not checked) instead.")
    ] = False,
    benchmark: Annotated[
        list[str] | None, typer.Option(help="With --external: benchmark name or glob.")
    ] = None,
    format: Annotated[Analysed, typer.Option("--format", help="Output format.")] = Analysed.table,
    out: OutFile = None,
    store: StoreUrl = None,
) -> int:
    """Show what moved over time: when, by how much, and what changed with it.

    Exit code 1: something got worse, stayed so, and nobody spoke of it (see triage); 3: too few
    points to tell anything.
    """
    from harness.cli.history import history_command

    filters = {"kernel": kernel, "dtype": dtype, "gpu": gpu, "workload": workload}
    filters |= {"series": series, "benchmark": benchmark}  # type: ignore[dict-item]
    return history_command(
        filters, metric or [], since, min_effect, event, external, str(format), out, store
    )


@analysis_app.command()
@guarded
def triage(
    event: Annotated[
        str | None,
        typer.Argument(metavar="[EVENT]", help="Key of an event of `history`, or its beginning."),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            help="acknowledged, expected, fixed, ignored or new; without EVENT: list these alone."
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="Why, in words.")] = "",
    link: Annotated[
        list[str] | None, typer.Option(help="URL of an issue or a log; repeatable.")
    ] = None,
    metric: Annotated[list[str] | None, typer.Option(help="As for history.")] = None,
    kernel: KernelNames = None,
    dtype: Dtypes = None,
    gpu: GpuNames = None,
    workload: Workloads = None,
    external: Annotated[
        bool, typer.Option("--external", help="Events of what other tools measured.")
    ] = False,
    format: Annotated[ClaimsAs, typer.Option("--format", help="Output format.")] = ClaimsAs.text,
    store: StoreUrl = None,
) -> int:
    """List the history's events with what is known of them; or say it of one.

    What is acknowledged, expected or ignored alarms neither `history` nor `gate` again. A fix is
    noticed by itself; one that was only told of is doubted once five more points are as bad.
    """
    from harness.cli.triage import triage_command

    filters = {"kernel": kernel, "dtype": dtype, "gpu": gpu, "workload": workload}
    return triage_command(
        event, state, note, link or [], filters, metric or [], external, str(format), store
    )


@analysis_app.command()
@guarded
def bisect(
    series: Annotated[str, typer.Argument(metavar="SERIES", help="Its key's beginning.")],
    good: Annotated[
        str | None,
        typer.Option(metavar="COMMIT", help="Before the move (default: what history says)."),
    ] = None,
    bad: Annotated[str | None, typer.Option(metavar="COMMIT", help="After it.")] = None,
    metric: Annotated[str, typer.Option(help="latency_ms, peak_memory_mb, max_error.")] = (
        "latency_ms"
    ),
    build: Annotated[
        str, typer.Option(metavar="COMMAND", help="Run in each commit's work tree first.")
    ] = "",
    launches: Annotated[int, typer.Option(help="A side and commit.")] = 5,
    all_commits: Annotated[
        bool,
        typer.Option("--all-commits", help="Also those that leave the kernels' folder as it is."),
    ] = False,
    kernels: KernelDirs = None,
    cluster: Annotated[str, typer.Option(help="Option of conf/cluster: what measures.")] = "local",
    format: Annotated[ClaimsAs, typer.Option("--format", help="text or json.")] = ClaimsAs.text,
    store: StoreUrl = None,
) -> int:
    """Find the commit of a kernel's repository that moved a series, by measuring.

    Each commit is checked out by git worktree and measured in turns with the good one; one that
    doesn't build, or can't be told, is gone around. Exit codes: 0 found; 3 the move doesn't show
    here, or only a range can be named; 2 wrong usage or a failure of the tool.
    """
    from harness.cli.bisect import bisect_command

    return bisect_command(
        series,
        good,
        bad,
        metric,
        build,
        launches,
        all_commits,
        kernels or [],
        cluster,
        str(format),
        store,
    )


@analysis_app.command()
@guarded
def claims(
    overrides: Overrides = None,
    measure: Annotated[
        bool | None,
        typer.Option(
            "--measure/--no-measure",
            help="Measure anew, or judge what is stored (default: measure where nothing is).",
        ),
    ] = None,
    format: Annotated[ClaimsAs, typer.Option("--format", help="Output format.")] = ClaimsAs.text,
    store: StoreUrl = None,
) -> int:
    """Hold what articles say of attention to arithmetic and to measurements on this machine.

    Overrides change the sweep `experiment=claims` that it measures: gpu=h100, timing.launches=5 …
    """
    from harness.cli.claims import claims_command

    return claims_command(overrides or [], measure, str(format), store)
