"""``attnbench cost``: what a problem costs by its formulas, nothing measured."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.errors import ConfigError
from harness.model import Problem
from harness.operators import cost_model
from harness.plan import build_plan


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
        return 0
    console = Console()
    for row in rows:
        table = Table(box=None, show_header=False, pad_edge=False, title_justify="left")
        for name, value in row.items():
            unit = "B" if name.endswith("bytes") else ""
            table.add_row(name.replace("_", " "), _text(value, unit))
        console.print(table)
        console.print()
    return 0


def costs(problem: Problem) -> dict[str, Any]:
    """FLOPs, least bytes and sizes of one problem, by its operator's formulas.

    ``score_matrix_bytes`` is all heads' Sq × Sk scores of the whole batch in the problem's dtype,
    which a naive implementation holds; operators with a recurrent form needn't ever have one.
    """
    model, p = cost_model(problem.operator), problem
    flops, least = model.flops(p), model.min_bytes(p)
    return {
        "problem": f"{p.operator} {p.summary()}",
        "cost_model": model.MODEL,
        "flops": flops,
        "min_bytes": least,
        "flops_per_byte": flops / least,
        "visible_pairs": model.visible_pairs(p),
        "score_matrix_bytes": p.batch * p.heads_q * p.seq_q * p.seq_k * p.element_bytes,
        "kv_cache_bytes": model.kv_cache_bytes(p),
    }


def _text(value: Any, unit: str) -> str:
    """A count with its digits, and in thousands of thousands where that is shorter."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if not isinstance(value, int):
        return str(value)
    size, prefix = float(value), ""
    for larger in ("k", "M", "G", "T", "P"):
        if size < 1000:
            break
        size, prefix = size / 1000, larger
    return f"{value:,} {unit}".rstrip() + (f"  ({size:.4g} {prefix}{unit})" if prefix else "")
