"""``attnbench compare``: what changed between two sides, for people and for programs."""

from __future__ import annotations

import json
import math
import os
import sys
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.analysis.compare.comparison import Comparison, compare
from harness.analysis.compare.markdown import markdown
from harness.analysis.compare.reading import Filters
from harness.analysis.compare.words import (
    change,
    heading,
    interval,
    mean_text,
    notes,
    shown_first,
    subjects,
    tally,
    verdict_text,
)
from harness.analysis.digits import digits
from harness.cli.common import store_url
from harness.cli.lines import print_line
from harness.cli.results import WIDE, write_text
from harness.errors import ConfigError

COLOURS = {
    "regressed": "red",
    "improved": "green",
    "suspect": "yellow",
    "unchanged": "dim",
}


def compare_command(
    sides: tuple[str, str],
    by: str | None,
    metric: str,
    filters: Filters,
    least_effect: float | None,
    limit: int,
    format: str,
    out: Path | None,
    store: str | None,
) -> int:
    """Body of ``attnbench compare``; returns the exit code."""
    if least_effect is not None and not 0 < least_effect < 1:
        raise ConfigError(f"--least-effect {least_effect}: a share between 0 and 1 (0.02 is 2 %)")
    if limit < 0:
        raise ConfigError(f"--limit {limit}: rows to show, 0 for all")
    found = read_comparison(sides, by, metric, filters, least_effect, store)
    rows = limit or None
    if format == "csv":
        text = found.cells.to_csv(index=False)
    elif format == "json":
        text = json.dumps(as_dict(found), indent=1) + "\n"
    elif format == "md":
        text = markdown(found, rows)
    else:
        print_comparison(found, rows, out)
        return 0
    write_text(text, out)
    return 0


def read_comparison(
    sides: tuple[str, str],
    by: str | None,
    metric: str,
    filters: Filters,
    least_effect: float | None,
    store: str | None,
) -> Comparison:
    """Compare in the store at an address."""
    from harness.config.catalog import gpus
    from harness.store import open_store

    with open_store(store_url(store), read_only=True) as opened:
        return compare(
            opened,
            *sides,
            by=by,
            metric=metric,
            filters=filters,
            gpus=gpus(),
            least_effect=least_effect,
        )


def print_comparison(found: Comparison, limit: int | None, out: Path | None = None) -> None:
    """The comparison for a terminal, what matters first; into ``out`` at full width."""
    if out is not None:
        console = Console(record=True, width=WIDE, file=StringIO())
    else:
        console = Console() if sys.stdout.isatty() else Console(width=_piped_width())
    print_line(console, f"A  {found.a.label}")
    print_line(console, f"B  {found.b.label}")
    print_line(console, heading(found))
    cells, left_out = shown_first(found, limit)
    if len(cells):
        shared, names = subjects(found.cells)
        if shared:
            print_line(console, shared, style="bold")
        console.print()
        console.print(_table(found, cells, names[: len(cells)]))
    if left_out:
        print_line(console, left_out, style="dim")
    console.print()
    print_line(console, f"B against A: {mean_text(found.mean)}, geometric mean")
    for kernel, mean in found.by_kernel.items():
        print_line(console, f"{kernel}: {mean_text(mean)}", indent=2)
    print_line(console, tally(found))
    for note in [*notes(found), *_reasons(found)]:
        print_line(console, f"· {note}")
    if found.environment:
        print_line(console, "what else differs (A → B):")
        for fact in found.environment:
            print_line(console, f"{fact.what}: {fact.before} → {fact.after}", indent=2)
    else:
        print_line(console, "software, kernels, protocol, host and boards are the same")
    if out is not None:
        write_text(console.export_text(), out)


def _piped_width() -> int:
    """What COLUMNS asks for, else a pipe's: nothing is cut there."""
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdigit() else WIDE


def _table(found: Comparison, cells: Any, names: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    unit = f" {found.metric.unit}" if found.metric.unit else ""
    table.add_column("verdict", no_wrap=True)
    table.add_column("B/A", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column(f"A{unit}", justify="right", no_wrap=True)
    table.add_column(f"B{unit}", justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    for row, name in zip(cells.to_dict("records"), names, strict=True):
        texts = (
            verdict_text(row),
            change(row["ratio"]),
            interval(row["low"], row["high"]),
            _figure(row["before"]),
            _figure(row["after"]),
            name,
        )
        table.add_row(*(escape(text) for text in texts), style=COLOURS.get(texts[0]))
    return table


def _figure(value: float) -> str:
    return "" if math.isnan(value) else digits(value)


def _reasons(found: Comparison) -> list[str]:
    """Why cells are unknown or insufficient, each reason once, the commonest first."""
    reasons = found.cells["reason"][found.cells["reason"] != ""]
    measure = reasons.str.startswith("measure more")
    out = []
    if measure.any():
        out.append(f"{int(measure.sum())} unknown: more launches would tell (timing.launches=…)")
    for reason, count in reasons[~measure].value_counts().items():
        out.append(f"{count}: {reason}")
    return out


def as_dict(found: Comparison) -> dict[str, Any]:
    """Plain JSON values; NaN and infinity are null."""
    one = found.one_sided.to_dict("records")
    return {
        "a": {"asked": found.a.asked, "is": found.a.label},
        "b": {"asked": found.b.asked, "is": found.b.label},
        "by": found.by,
        "metric": found.metric.name,
        "unit": found.metric.unit,
        "higher_is_better": found.metric.higher_is_better,
        "least_effect": found.least_effect,
        "cells": [_plain(row) for row in found.cells.to_dict("records")],
        "one_sided": [_plain(row) for row in one],
        "failing_on_both": found.failing,
        "newly_failing": len(found.newly_failing),
        "geometric_mean": _plain(vars(found.mean)),
        "by_kernel": {name: _plain(vars(mean)) for name, mean in found.by_kernel.items()},
        "prior": _plain(vars(found.prior)),
        "environment": [vars(fact) for fact in found.environment],
    }


def _plain(row: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in row.items():
        plain = value.item() if hasattr(value, "item") else value
        lost = isinstance(plain, float) and not math.isfinite(plain)
        out[str(name)] = None if lost else plain
    return out
