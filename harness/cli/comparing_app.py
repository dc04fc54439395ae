"""Commands that set results side by side: comparisons, GPUs, growth with length, claims."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.guard import guarded
from harness.cli.options import (
    Analysed,
    Dtypes,
    Experiments,
    GpuNames,
    KernelNames,
    OutFile,
    Overrides,
    ShownSweep,
    Since,
    StoreUrl,
    Told,
    Workloads,
)

comparing_app = typer.Typer()


@comparing_app.command()
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


@comparing_app.command()
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


@comparing_app.command()
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
    format: Annotated[Told, typer.Option("--format", help="Output format.")] = Told.text,
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


@comparing_app.command()
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
    format: Annotated[Told, typer.Option("--format", help="Output format.")] = Told.text,
    store: StoreUrl = None,
) -> int:
    """Hold what articles say of attention to arithmetic and to measurements on this machine.

    Overrides change the sweep `experiment=claims` that it measures: gpu=h100, timing.launches=5 …
    """
    from harness.cli.claims import claims_command

    return claims_command(overrides or [], measure, str(format), store)
