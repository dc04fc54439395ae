"""``attnbench results``: what is stored, as a table for people or a file for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from io import StringIO
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.analysis.digits import digits
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
    if out is not None and format == "table":
        text = StringIO()
        _print_frame(frame, Console(file=text, width=WIDE))
        _write(out, lambda path: path.write_text(text.getvalue()))
        return 0
    return write_frame(frame, format, out)


def write_frame(frame: pd.DataFrame, format: str, out: Path | None) -> int:
    """Write a frame as csv, json or parquet; returns the exit code."""
    if format == "parquet":
        if out is None:
            raise AttnbenchError("--format parquet writes a file: add --out results.parquet")
        _write(out, lambda path: frame.to_parquet(path, index=False))
        return 0
    text = (
        frame.to_csv(index=False)
        if format == "csv"
        else frame.to_json(orient="records", indent=1, date_format="iso") + "\n"
    )
    write_text(text, out)
    return 0


def write_text(text: str, out: Path | None) -> None:
    """Write text to a file, or to standard output. Raises AttnbenchError where it can't be."""
    if out is None:
        sys.stdout.write(text)
    else:
        _write(out, lambda path: path.write_text(text))


def _write(out: Path, write: Callable[[Path], object]) -> None:
    try:
        write(out)
    except OSError as error:
        raise AttnbenchError(f"can't write to {out}: {error.strerror}") from error


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
    is_skip = table_of.status == "skipped"
    shown = table_of[~is_skip].sort_values([*SORTED_BY, "latency_ms"], na_position="last")
    left_out = _print_measured(shown, console)
    if left_out:
        console.print(
            f"left out for want of width: {', '.join(left_out)} (--format csv has all)",
            style="dim",
        )
    if shown.empty:  # nothing but skips was asked for, or found
        _print_skips(table_of[is_skip], console)
    elif is_skip.any():
        console.print(f"{is_skip.sum()} skipped (--status skipped shows why)", style="dim")


def _print_skips(frame: pd.DataFrame, console: Console) -> None:
    """A line a kernel and reason, with what it was skipped for."""
    table = Table(box=None, pad_edge=False)
    for column in ("kernel", "gpu", "skipped because", "cells", "first of them"):
        table.add_column(column, overflow="fold", justify="right" if column == "cells" else "left")
    for (kernel, gpu, reason), part in frame.groupby(["kernel", "gpu", "reason"], dropna=False):
        first = f"{part.workload.iloc[0] or 'matrix'}: {part.problem.iloc[0]}"
        table.add_row(*(escape(str(text)) for text in (kernel, gpu, reason, len(part), first)))
    console.print(table)


def _print_measured(frame: pd.DataFrame, console: Console) -> list[str]:
    """One table for each workload, dtype, direction, mode and device; its heading says which.

    Returns the columns that the console's width left no room for.
    """
    heading = ["workload", "dtype", "direction", "mode", "gpu", "device"]
    frame = frame.assign(device=frame.device.fillna("no device"))
    left_out: dict[str, None] = {}
    for key, part in frame.groupby(heading, sort=False, dropna=False):
        workload, dtype, direction, mode, _, device = map(str, key)
        title = f"{workload or 'matrix'} · {dtype} · {direction} · {mode} · {device}"
        console.print(title, style="bold", markup=False, highlight=False)
        columns, missing = _columns(part.to_dict("records"), console.width)
        left_out |= dict.fromkeys(missing)
        console.print(_table(part.to_dict("records"), columns))
    return list(left_out)


def _said_above(row: Mapping[Any, Any]) -> str:
    """The problem without what the heading says of all."""
    said = {row["dtype"], {"forward": "fwd", "backward": "bwd"}.get(row["direction"], "fwd+bwd")}
    return " ".join(word for word in row["problem"].split() if word not in said)


KEEP_A_CACHE = ("decode", "mla")
"""Operators that are about a KV cache: for others its size would be one column too many."""
FIGURES: dict[str, Callable[[Mapping[Any, Any]], str]] = {
    "ms": lambda r: digits(r["latency_ms"]),
    "95 % interval": lambda r: _interval(
        r["latency_low_ms"], r["latency_high_ms"], r["latency_ms"]
    ),
    "TFLOP/s": lambda r: digits(r["tflops"]),
    "GB/s": lambda r: digits(r["bandwidth_gb_s"]),
    "% peak": lambda r: digits(r["peak_share"] * 100),
    "peak MB": lambda r: digits(r["peak_memory_mb"]),
    "KV MB": lambda r: digits(r["kv_cache_mb"]) if r["operator"] in KEEP_A_CACHE else "",
    "J/call": lambda r: digits(r["energy_j"]),
    "TFLOP/s/W": lambda r: digits(r["tflops_per_w"]),
    "max error": lambda r: "" if isnan(r["max_error"]) else f"{r['max_error']:.1e}",
}
"""Columns of the table, and what stands in them."""
GIVEN_UP = (*("GB/s", "KV MB", "peak MB", "TFLOP/s/W", "max error", "J/call", "TFLOP/s", "% peak"),)
"""What a narrow terminal does without, in this order: a figure in full beats seven cut short."""


def _columns(rows: list[dict[Any, Any]], width: int) -> tuple[dict[str, list[str]], list[str]]:
    """The columns that fit into ``width``, and the names of those that don't. Empty ones are no
    columns; the status is one where some row isn't ok, and may wrap."""
    fixed = {"problem": [_said_above(row) for row in rows], "kernel": [r["kernel"] for r in rows]}
    found = {name: [text(row) for row in rows] for name, text in FIGURES.items()}
    found = {name: texts for name, texts in found.items() if any(texts)}
    room = width - (24 if any(_marked(row) for row in rows) else 0)

    def needed() -> int:
        return sum(max(map(len, (n, *texts))) + 2 for n, texts in (fixed | found).items())

    missing = []
    for name in GIVEN_UP:
        if name in found and needed() > room:
            del found[name]
            missing.append(name)
    return fixed | found, missing


def _marked(row: Mapping[Any, Any]) -> str:
    """Why a row doesn't count, in words; "" for one that does."""
    if isinstance(row.get("excluded"), str):
        return f"excluded: {row['excluded']}"
    return "" if row["status"] == "ok" else f"{row['status']}: {row['reason']}"


def _table(rows: list[dict[Any, Any]], columns: dict[str, list[str]]) -> Table:
    """A row a kernel and problem."""
    table = Table(box=None, pad_edge=False)
    for name in columns:
        left = name in ("problem", "kernel")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    failed = any(_marked(row) for row in rows)
    if failed:
        table.add_column("status", overflow="fold")
    previous = None
    for number, row in enumerate(rows):
        texts = {name: column[number] for name, column in columns.items()}
        if texts["problem"] == previous:
            texts["problem"] = ""
        else:
            previous = texts["problem"]
        good = not _marked(row)
        status = _marked(row) or "ok"
        shown = [*texts.values(), *([status] if failed else [])]
        table.add_row(*(escape(str(text)) for text in shown), style=None if good else "red")
    return table


def _interval(low: float, high: float, middle: float) -> str:
    """The interval as − and + shares of the value: what a reader compares."""
    if any(isnan(v) for v in (low, high, middle)):
        return ""
    below, above = (1 - low / middle) * 100, (high / middle - 1) * 100
    if above >= NO_INTERVAL:
        return "not known"
    return f"−{below:.1f} +{above:.1f} %"
