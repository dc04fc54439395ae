"""``attnbench cost``: what a problem costs by its formulas, nothing measured."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import ConfigError
from harness.model import Problem
from harness.operators import cost_model
from harness.plan import build_plan

SAID = {
    "flops": ("FLOPs", "", "of the problem, however it is computed"),
    "up_projection_flops": ("FLOPs before it", "", "latents to keys and values, counted apart"),
    "min_bytes": ("least bytes", "B", "inputs read and outputs written once"),
    "flops_per_byte": ("intensity", "", "FLOPs a byte"),
    "visible_pairs": ("visible pairs", "", "of a head of one full sequence"),
    "score_matrix_bytes": ("score matrix", "B", "all heads, held by naive forms alone"),
    "kv_cache_bytes": ("KV cache", "B", "of the whole batch"),
    "state_bytes": ("state", "B", "in a KV cache's place, at any length"),
}
"""What stands before a figure, its unit, and what stands behind it."""
COLUMNS = {
    "flops": "FLOPs",
    "min_bytes": "bytes",
    "flops_per_byte": "FLOPs/B",
    "score_matrix_bytes": "scores, B",
    "kept": "cache, B",
}
"""Of a table of several problems."""


def cost_command(overrides: list[str], multirun: bool, format: str) -> int:
    """Body of ``attnbench cost``; returns the exit code."""
    if format not in ("table", "json"):
        raise ConfigError(f"--format {format}: there are table and json")
    planned = build_plan([*overrides, "gpu=cpu"], multirun=multirun)
    jobs = [*planned.plan.jobs, *(skip.job for skip in planned.plan.skips)]
    problems = {job.problem.key: (job.workload, job.problem) for job in jobs}
    rows = [{"workload": name, **costs(problem)} for name, problem in problems.values()]
    if format == "json":
        json.dump(rows, sys.stdout, indent=1)
        sys.stdout.write("\n")
    elif len(rows) == 1:
        _print_one(rows[0], Console())
    else:
        _print_several(rows, Console())
    return 0


def costs(problem: Problem) -> dict[str, Any]:
    """FLOPs, least bytes and sizes of one problem, by its operator's formulas.

    ``visible_pairs`` is of one head of a full sequence; ``score_matrix_bytes`` is all heads'
    Sq × Sk scores of the whole batch in the problem's dtype, which a naive form holds. An operator
    keeps either a cache or, at every length the same, ``state_bytes`` in fp32: the other is None.
    So is ``up_projection_flops`` but for naive MLA.
    """
    model, p = cost_model(problem.operator), problem
    flops, least, kept = model.flops(p), model.min_bytes(p), model.kv_cache_bytes(p)
    stateful = bool(getattr(model, "STATEFUL", False))
    expansion = getattr(model, "up_projection_flops", None)
    return {
        "problem": f"{p.operator} {p.summary()}",
        "cost_model": model.MODEL,
        "flops": flops,
        "up_projection_flops": expansion and (expansion(p) or None),
        "min_bytes": least,
        "flops_per_byte": flops / least,
        "visible_pairs": model.visible_pairs(p),
        "score_matrix_bytes": p.batch * p.heads_q * p.seq_q * p.seq_k * p.element_bytes,
        "kv_cache_bytes": None if stateful else kept,
        "state_bytes": kept if stateful else None,
    }


def _print_one(row: dict[str, Any], console: Console) -> None:
    """A figure a line: exactly, in short, and what it is."""
    console.print(Text(f"{row['workload']}: {row['problem']}", style="bold"))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for name, (before, unit, behind) in SAID.items():
        value = row[name]
        if value is not None:
            exact = f"{value:,}" if isinstance(value, int) else ""
            table.add_row(before, exact, _short(value, unit), Text(behind, style="dim"))
    console.print(table)
    console.print(Text(f"by the formulas of {row['cost_model']}", style="dim"))


def _print_several(rows: list[dict[str, Any]], console: Console) -> None:
    """A line a problem: the figures side by side."""
    table = Table(box=None, pad_edge=False)
    table.add_column("problem", overflow="fold")
    for title in COLUMNS.values():
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        kept = row["kv_cache_bytes"] if row["state_bytes"] is None else row["state_bytes"]
        figures = [_short(value, "") for value in ({**row, "kept": kept}[c] for c in COLUMNS)]
        table.add_row(f"{row['workload']}: {row['problem']}", *figures)
    console.print(table)
    if any(row["state_bytes"] is not None for row in rows):
        console.print(Text("cache: a recurrent operator's is its state in fp32", style="dim"))


def _short(value: float, unit: str) -> str:
    """Four digits and a prefix of thousands: ``34.38 G``, ``41.94 MB``."""
    size, prefix = float(value), ""
    for larger in ("k", "M", "G", "T", "P"):
        if size < 1000:
            break
        size, prefix = size / 1000, larger
    return f"{size:.4g} {prefix}{unit}".rstrip()
