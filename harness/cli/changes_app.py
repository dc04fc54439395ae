"""Commands about change over time: gate, history, triage, bisect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.guard import guarded
from harness.cli.options import (
    Analysed,
    Dtypes,
    Experiments,
    GpuNames,
    KernelDirs,
    KernelNames,
    OutFile,
    StoreUrl,
    Told,
    Workloads,
)

changes_app = typer.Typer()


@changes_app.command()
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


@changes_app.command()
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


@changes_app.command()
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
    format: Annotated[Told, typer.Option("--format", help="Output format.")] = Told.text,
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


@changes_app.command()
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
    format: Annotated[Told, typer.Option("--format", help="text or json.")] = Told.text,
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
