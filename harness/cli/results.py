"""``attnbench results``: what is stored, as a table for people or a file for programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.cli.common import store_url
from harness.errors import AttnbenchError

if TYPE_CHECKING:
    import pandas as pd

WIDE = 10_000
"""Width of a table that goes into a file or a pipe: nothing is cut there."""
WORST_FIRST = ("ok", "skipped")


def load(filters: Mapping[str, Any], url: str) -> pd.DataFrame:
    """The frame of matching records. ``sweep`` may be ``last`` or ``all``."""
    from harness.analysis.query import results
    from harness.config.catalog import gpus
    from harness.store import open_store

    with open_store(url, read_only=True) as store:
        wanted = dict(filters)
        if wanted.get("sweep") == "all":
            wanted["sweep"] = None
        elif wanted.get("sweep") == "last":
            sweeps = store.sweeps()
            if not sweeps:
                raise AttnbenchError(f"{store.safe_url} has no sweep yet: attnbench run …")
            wanted["sweep"] = max(row.id for row in sweeps)
        return results(store, gpus=gpus(), **wanted)


def results_command(
    filters: dict[str, Any], format: str, out: Path | None, store: str | None
) -> int:
    """Body of ``attnbench results``; returns the exit code."""
    url = store_url(store)
    if format == "table" and out is None:
        return print_results(filters, url)
    frame = load(filters, url)
    if format == "parquet":
        if out is None:
            raise AttnbenchError("--format parquet writes a file: add --out results.parquet")
        frame.to_parquet(out, index=False)
    elif format == "table":
        _need(out).write_text(_table_text(frame))
    else:
        text = (
            frame.to_csv(index=False)
            if format == "csv"
            else frame.to_json(orient="records", indent=1, date_format="iso") + "\n"
        )
        if out is None:
            sys.stdout.write(text)
        else:
            out.write_text(text)
    return 0


def _need(out: Path | None) -> Path:
    assert out is not None
    return out


def _table_text(frame: pd.DataFrame) -> str:
    from io import StringIO

    text = StringIO()
    _print_frame(frame, Console(file=text, width=WIDE))
    return text.getvalue()


def print_results(filters: Mapping[str, Any], url: str) -> int:
    """The table for people: a row a cell, fastest kernel of each problem first."""
    frame = load(filters, url)
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    _print_frame(frame, console)
    return 0


def _print_frame(frame: pd.DataFrame, console: Console) -> None:
    from harness.analysis.query import cells

    if frame.empty:
        console.print("no results match", style="dim")
        return
    table_of = cells(frame)
    shown = table_of[table_of.status != "skipped"].sort_values(
        ["workload", "dtype", "direction", "gpu", "seq_k", "seq_q", "batch", "latency_ms"],
        na_position="last",
    )
    _print_measured(shown, console)
    skipped = int((table_of.status == "skipped").sum())
    if skipped:
        console.print(f"{skipped} skipped (--status skipped shows why)", style="dim")


def _print_measured(frame: pd.DataFrame, console: Console) -> None:
    import pandas as pd

    with_peak = bool(frame.peak_share.notna().any())
    table = Table(box=None, pad_edge=False)
    for name in ("workload", "problem", "device", "kernel"):
        table.add_column(name, no_wrap=name == "kernel")
    numeric = ["ms", "95 % interval", "TFLOP/s", "GB/s", "% peak", "peak MB", "max error"]
    if not with_peak:
        numeric.remove("% peak")
    for name in numeric:
        table.add_column(name, justify="right")
    table.add_column("status")
    previous = None
    for row in frame.itertuples():
        key = (row.workload, row.problem, row.device)
        if previous is not None and key != previous:
            table.add_section()
        same, previous = key == previous, key
        device = row.device if isinstance(row.device, str) else row.gpu
        head = ["", "", ""] if same else [str(row.workload), str(row.problem), device]
        values = [
            _digits(row.latency_ms),
            _interval(row.latency_low_ms, row.latency_high_ms, row.latency_ms),
            _digits(row.tflops),
            _digits(row.bandwidth_gb_s),
            _digits(row.peak_share * 100 if pd.notna(row.peak_share) else None),
            _digits(row.peak_memory_mb),
            "" if pd.isna(row.max_error) else f"{row.max_error:.1e}",
        ]
        if not with_peak:
            values.pop(4)
        style = None if row.status == "ok" else "red"
        status = "ok" if row.status == "ok" else f"{row.status}: {row.reason}"
        cells_of = [*head, str(row.kernel), *values, status]
        table.add_row(*map(escape, cells_of), style=style)
    console.print(table)


def _digits(value: float | None) -> str:
    """Three significant digits, without an exponent where people would not write one."""
    if value is None or isnan(value):
        return ""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:#.3g}" if abs(value) >= 1e-3 else f"{value:.1e}"


def _interval(low: float, high: float, middle: float) -> str:
    """The interval as − and + shares of the value: what a reader compares."""
    if any(v is None or isnan(v) for v in (low, high, middle)):
        return ""
    return f"−{(1 - low / middle) * 100:.1f} +{(high / middle - 1) * 100:.1f} %"
