"""``attnbench plan``: what would run, what is skipped and why, and about how long it takes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.cli.common import plan_with_cluster, split_resume, user_kernel_dirs
from harness.plan import Planned

REASONS_SHOWN = 12


def plan_command(given: list[str], multirun: bool, kernels: list[Path], format: str) -> int:
    """Body of ``attnbench plan``; returns the exit code."""
    folders = user_kernel_dirs(kernels)
    overrides, _ = split_resume(given)
    with plan_with_cluster(overrides, multirun, folders) as (planned, _):
        if format == "json":
            # dumps, not dump: the standard library's C encoder only makes whole strings
            sys.stdout.write(json.dumps(planned.to_dict()) + "\n")
        elif format == "requests":
            _write_requests(planned)
        else:
            console = Console()
            print_summary(planned, console)
            _print_matrix(planned, console)
    return 0


def _write_requests(planned: Planned) -> None:
    from harness.dispatch.rounds import requests_in_rounds
    from harness.measure.revision import harness_commit, kernel_revision
    from harness.model import new_sweep_id

    kernels = {job.kernel.name: job.kernel for job in planned.plan.jobs}
    revisions = {name: kernel_revision(kernel) for name, kernel in kernels.items()}
    jobs = planned.plan.jobs
    for request in requests_in_rounds(jobs, new_sweep_id(), revisions, harness_commit()):
        sys.stdout.write(json.dumps(request.to_dict()) + "\n")


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def print_summary(planned: Planned, console: Console) -> None:
    """A few lines: how many jobs on which GPU, launches, about how long; skips by reason."""
    plan = planned.plan
    cells, launches = len(plan.jobs), plan.launches
    gpus = Counter(job.gpu.name for job in plan.jobs)
    where = ", ".join(f"{count} on {name}" for name, count in sorted(gpus.items()))
    name = plan.name or "matrix"
    plural = "launch" if launches == 1 else "launches"
    line = f"[bold]{escape(name)}[/bold]: {cells} jobs ({where}), {launches} {plural}"
    line += f", about {_about(planned.estimate_s)}" if cells else ""
    console.print(line, highlight=False)
    if plan.excluded:
        console.print(f"{plan.excluded} cells excluded by the experiment", style="dim")
    reasons = Counter((skip.job.kernel.name, skip.reason) for skip in plan.skips)
    if reasons:
        console.print(f"{len(plan.skips)} skipped:", style="dim")
    for (kernel, reason), count in reasons.most_common(REASONS_SHOWN):
        console.print(f"  {count} × {kernel}: {reason}", style="dim", markup=False, highlight=False)
    if len(reasons) > REASONS_SHOWN:
        console.print(f"  and {len(reasons) - REASONS_SHOWN} more reasons", style="dim")


def _print_matrix(planned: Planned, console: Console) -> None:
    """Kernels down, workload × dtype across: how many jobs, and the lengths they cover."""
    table = Table(box=None, pad_edge=False)
    for column in ("kernel", "workload", "dtype", "direction", "gpu"):
        table.add_column(column)
    table.add_column("jobs", justify="right")
    table.add_column("lengths")
    groups: dict[tuple[str, str, str, str, str], list[int]] = {}
    for job in planned.plan.jobs:
        key = (
            job.kernel.name,
            job.workload,
            job.problem.dtype,
            job.problem.direction,
            job.gpu.name,
        )
        groups.setdefault(key, []).append(job.problem.seq_k)
    for key, lengths in groups.items():
        distinct = sorted(set(lengths))
        shown = ", ".join(map(str, distinct[:8])) + (" …" if len(distinct) > 8 else "")
        table.add_row(*map(escape, key), str(len(lengths)), shown)
    console.print(table)
