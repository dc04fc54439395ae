"""A comparison as Markdown: fit for a pull request, the findings above the fold."""

from __future__ import annotations

import math
from typing import Any

from harness.analysis.compare.comparison import Comparison
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

MARKS = {"regressed": "🔴", "improved": "🟢", "suspect": "🟡", "unknown": "⚪", "unchanged": ""}
QUIET = ("unchanged", "unknown", "insufficient")
"""Verdicts whose rows are folded away."""


def markdown(found: Comparison, limit: int | None = None) -> str:
    """The comparison as GitHub-flavoured Markdown, a row a cell, quiet ones folded."""
    cells, left_out = shown_first(found, limit)
    shared, names = subjects(found.cells)
    rows = list(zip(cells.to_dict("records"), names, strict=False))
    loud = [(r, n) for r, n in rows if verdict_text(r) not in QUIET]
    quiet = [(r, n) for r, n in rows if verdict_text(r) in QUIET]
    lines = [
        f"### attnbench: {tally(found)}",
        "",
        f"B against A: **{mean_text(found.mean)}** (geometric mean)  ",
        f"A: {cell(found.a.label)}  ",
        f"B: {cell(found.b.label)}  ",
        f"{heading(found)}",
        "",
    ]
    if shared:
        lines += [cell(shared), ""]
    lines += _table(found, loud)
    if quiet:
        inner = [*_table(found, quiet), *([left_out, ""] if left_out else [])]
        lines += _folded(f"{len(quiet)} cells that show no change", inner)
    elif left_out:
        lines += [left_out, ""]
    if found.by_kernel:
        means = [f"| {cell(k)} | {mean_text(m)} |" for k, m in found.by_kernel.items()]
        lines += _folded("By kernel", ["| kernel | geometric mean |", "|---|---|", *means, ""])
    lines += [f"- {cell(note)}" for note in notes(found)]
    if found.environment:
        facts = [
            f"| {cell(f.what)} | {cell(f.before)} | {cell(f.after)} |" for f in found.environment
        ]
        lines += ["", "What else differs:", "", "| | A | B |", "|---|---|---|", *facts]
    else:
        lines += ["- software, kernels, protocol, host and boards are the same"]
    return "\n".join(lines).rstrip() + "\n"


def cell(text: Any) -> str:
    """Text that stays in one cell of a table and makes no markup."""
    out = str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    return out.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_").replace("`", "\\`")


def _folded(title: str, lines: list[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "</details>", ""]


def _table(found: Comparison, rows: list[tuple[Any, str]]) -> list[str]:
    if not rows:
        return []
    unit = f" ({found.metric.unit})" if found.metric.unit else ""
    lines = [f"| | what | B/A | 95 % | A{unit} | B{unit} |", "|---|---|--:|:-:|--:|--:|"]
    for row, name in rows:
        verdict = verdict_text(row)
        figures = ("" if math.isnan(row[n]) else digits(row[n]) for n in ("before", "after"))
        parts = [
            f"{MARKS.get(verdict, '')} {verdict}".strip(),
            cell(name),
            change(row["ratio"]),
            interval(row["low"], row["high"]),
            *figures,
        ]
        lines.append(f"| {' | '.join(parts)} |")
    return [*lines, ""]
