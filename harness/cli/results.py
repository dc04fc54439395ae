"""``attnbench results``: what is stored, as a table for people or a file for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
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
SORTED_BY = ["workload", "dtype", "direction", "mode", "gpu", "seq_k", "seq_q", "batch"]
NO_INTERVAL = 100.0
"""An interval that reaches this far (%) says only that launches disagree; few launches do that."""


def load(filters: Mapping[str, Any], url: str, *, commands: bool = False) -> pd.DataFrame:
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
        return results(store, gpus=gpus(), commands=commands, **wanted)


def results_command(
    filters: dict[str, Any], format: str, out: Path | None, store: str | None
) -> int:
    """Body of ``attnbench results``; returns the exit code."""
    url = store_url(store)
    if format == "table" and out is None:
        return print_results(filters, url)
    frame = load(filters, url, commands=True)
    if format == "table":
        _need(out).write_text(_table_text(frame))
        return 0
    return write_frame(frame, format, out)


def write_frame(frame: pd.DataFrame, format: str, out: Path | None) -> int:
    """Write a frame as csv, json or parquet; returns the exit code."""
    if format == "parquet":
        if out is None:
            raise AttnbenchError("--format parquet writes a file: add --out results.parquet")
        frame.to_parquet(out, index=False)
        return 0
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
    """The table for people: each cell's latest result, fastest kernel of each problem first."""
    from harness.store import open_store

    frame = load(filters, url)
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    _print_frame(frame, console)
    with open_store(url, read_only=True) as store:
        if store.has_externals():
            console.print("other tools' results, not checked: --external", style="dim")
    return 0


def _print_frame(frame: pd.DataFrame, console: Console) -> None:
    from harness.analysis.query import cells, latest

    if frame.empty:
        console.print("no results match", style="dim")
        return
    table_of = latest(cells(frame))
    shown = table_of[table_of.status != "skipped"].sort_values(
        [*SORTED_BY, "latency_ms"],
        na_position="last",
    )
    _print_measured(shown, console)
    skipped = int((table_of.status == "skipped").sum())
    if skipped:
        console.print(f"{skipped} skipped (--status skipped shows why)", style="dim")


def _print_measured(frame: pd.DataFrame, console: Console) -> None:
    """One table for each workload, dtype, direction, mode and device; its heading says which."""
    heading = ["workload", "dtype", "direction", "mode", "gpu", "device"]
    frame = frame.assign(device=frame.device.fillna("no device"))
    for key, part in frame.groupby(heading, sort=False, dropna=False):
        workload, dtype, direction, mode, _, device = map(str, key)
        title = f"{workload or 'matrix'} · {dtype} · {direction} · {mode} · {device}"
        console.print(title, style="bold", markup=False, highlight=False)
        console.print(_table(part.to_dict("records")))


def _table(rows: list[dict[Any, Any]]) -> Table:
    """A row a kernel and problem; columns that are empty throughout are left out."""
    columns: dict[str, Callable[[dict[Any, Any]], str]] = {
        "ms": lambda r: digits(r["latency_ms"]),
        "95 % interval": lambda r: _interval(
            r["latency_low_ms"], r["latency_high_ms"], r["latency_ms"]
        ),
        "TFLOP/s": lambda r: digits(r["tflops"]),
        "GB/s": lambda r: digits(r["bandwidth_gb_s"]),
        "% peak": lambda r: digits(r["peak_share"] * 100),
        "peak MB": lambda r: digits(r["peak_memory_mb"]),
        "max error": lambda r: "" if isnan(r["max_error"]) else f"{r['max_error']:.1e}",
    }
    shown = {name: [text(row) for row in rows] for name, text in columns.items()}
    shown = {name: texts for name, texts in shown.items() if any(texts)}
    table = Table(box=None, pad_edge=False)
    table.add_column("problem", no_wrap=True)
    table.add_column("kernel", no_wrap=True)
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", overflow="fold")
    previous = None
    for number, row in enumerate(rows):
        problem, previous = row["problem"] if row["problem"] != previous else "", row["problem"]
        good = row["status"] == "ok"
        status = "ok" if good else f"{row['status']}: {row['reason']}"
        cells_of = [problem, row["kernel"], *(texts[number] for texts in shown.values()), status]
        table.add_row(*(escape(str(cell)) for cell in cells_of), style=None if good else "red")
    return table


def digits(value: float) -> str:
    """Three significant digits, without an exponent where people would not write one."""
    if isnan(value):
        return ""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:#.3g}" if abs(value) >= 1e-3 else f"{value:.1e}"


def _interval(low: float, high: float, middle: float) -> str:
    """The interval as − and + shares of the value: what a reader compares."""
    if any(isnan(v) for v in (low, high, middle)):
        return ""
    below, above = (1 - low / middle) * 100, (high / middle - 1) * 100
    if above >= NO_INTERVAL:
        return "not known"
    return f"−{below:.1f} +{above:.1f} %"
