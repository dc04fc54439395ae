"""The table of kernel × claim that ``make gpu-check`` leaves: Markdown, fit for the repository."""

from __future__ import annotations

from collections.abc import Sequence

from tests.gpu.claims import Row

MARKS = {"passed": "✓", "failed": "✗", "refused": "–", "absent": "–"}


def markdown(rows: Sequence[Row], where: str, left: int) -> str:
    """Kernels down, dtype and direction across; below it what failed or was refused, and why."""
    columns = list(dict.fromkeys((row.dtype, row.direction) for row in rows))
    cells = {(row.operator, row.kernel, row.dtype, row.direction): row for row in rows}
    names = list(dict.fromkeys((row.operator, row.kernel) for row in sorted(rows, key=_order)))
    lines = [f"# Kernel × claim: {where}", ""]
    lines.append("A cell: ✓ or ✗, cases passed of those tried, largest error (share of the bound).")
    lines += ["", "| operator | kernel | " + " | ".join(f"{d} {way}" for d, way in columns) + " |"]
    lines.append("|---" * (2 + len(columns)) + "|")
    for operator, kernel in names:
        shown = [_cell(cells.get((operator, kernel, *column))) for column in columns]
        lines.append(f"| {operator} | {kernel} | " + " | ".join(shown) + " |")
    said = [row for row in rows if row.reason]
    if said:
        lines += ["", "## What was said", ""]
        lines += [f"- {r.kernel} {r.dtype} {r.direction}: {r.status}: {r.reason}" for r in said]
    if left:
        lines += ["", f"{left} claims are not yet run: start it again, it goes on where it was."]
    return "\n".join(lines) + "\n"


def _order(row: Row) -> tuple[str, str]:
    return row.operator, row.kernel


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    if not row.passed:
        return MARKS[row.status]
    tried = row.passed + row.failed
    return f"{MARKS[row.status]} {row.passed}/{tried} {row.max_error:.1e} ({row.strain:.0%})"
