"""``attnbench results --external``: what other tools measured, said to be unchecked."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.analysis.digits import digits
from harness.cli.common import store_url
from harness.cli.results import WIDE, write_frame
from harness.errors import AttnbenchError


def external_command(
    since: str | None, format: str, out: Path | None, store: str | None, others: bool
) -> int:
    """Body of ``attnbench results --external``; returns the exit code.

    Raises AttnbenchError for filters (``others``) that external results have nothing for.
    """
    from harness.analysis.external import externals
    from harness.store import open_store

    if others:
        raise AttnbenchError(
            "--external takes --since, --format and --out: external results have no kernel, dtype, "
            "gpu, experiment, status or sweep"
        )
    with open_store(store_url(store), read_only=True) as opened:
        frame = externals(opened, since=since)
    if format != "table":
        return write_frame(frame, format, out)
    newest = frame.groupby("series_key", sort=False).tail(1)
    table = Table(box=None, pad_edge=False)
    for name in ("benchmark", "parameters", "measure"):
        table.add_column(name, no_wrap=name != "parameters")
    for name in ("value", "unit", "repeats", "results"):
        table.add_column(name, justify="left" if name == "unit" else "right", no_wrap=True)
    for name in ("device", "measured", "version", "source"):
        table.add_column(name, no_wrap=True)
    counts = frame.groupby("series_key").size()
    for row in newest.sort_values(["benchmark", "measure", "params"]).to_dict("records"):
        params = " ".join(f"{k}={v}" for k, v in json.loads(row["params"]).items())
        cells = [row["benchmark"], params, row["measure"], digits(row["value"]), row["unit"]]
        cells += [str(row["repeats"]), str(counts[row["series_key"]]), row["device"]]
        cells += [row["measured_at"][:16], row["version"][:12], row["source"]]
        table.add_row(*(escape(str(cell)) for cell in cells))
    if out is not None:
        with out.open("w") as file:
            _print(Console(file=file, width=WIDE), table, len(newest))
    else:
        _print(Console() if sys.stdout.isatty() else Console(width=WIDE), table, len(newest))
    return 0


def _print(console: Console, table: Table, count: int) -> None:
    if not count:
        console.print("no external results (attnbench store import FILE)", style="dim")
        return
    console.print("external · not checked against an oracle · the latest of each", style="bold")
    console.print(table)
