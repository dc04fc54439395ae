"""Compare: what is faster or slower than before, by how much, and how surely?"""

from __future__ import annotations

import math
from typing import Any

from dashboards import tidy
from dashboards.charts.forest import forest
from dashboards.content import Content, Section, Table, Tile
from dashboards.formats import MISSING, number
from dashboards.source import Source
from harness.analysis.compare.comparison import Comparison, compare
from harness.analysis.compare.markdown import markdown
from harness.analysis.compare.reading import Filters
from harness.analysis.compare.summary import Mean
from harness.analysis.compare.words import (
    change,
    heading,
    interval,
    mean_text,
    notes,
    subjects,
    tally,
    verdict_text,
)
from harness.errors import ConfigError

TITLE = "Compare"
QUESTION = "What is faster or slower than before, by how much, and how surely?"
PLACE = 3
CHARTS = ("forest",)
BEFORE, NEWEST = "last~1", "last"
MARKDOWN_ROWS = 50
"""Rows that the Markdown to copy has."""
_BAD, _GOOD = ("regressed", "newly failing"), ("improved",)


def build(source: Source) -> Content:
    """The view's sides compared; without any, the newest sweep with the one before it."""
    view = source.view
    named = bool(view.a or view.b or view.by)
    filters = Filters(
        kernel=view.kernel or None,
        dtype=view.dtype or None,
        gpu=view.gpu or None,
        experiment=view.experiment or None,
        since=view.since or None,
    )
    try:
        found = compare(
            source.store,
            view.a or ("" if view.by else BEFORE),
            view.b or ("" if view.by else NEWEST),
            by=view.by or None,
            metric=view.metric or "latency_ms",
            filters=filters,
            gpus=source.gpus,
        )
    except ConfigError as error:
        if named or view.metric:
            raise
        return Content(f"There is nothing to compare yet: {error}. {_WHAT_TO_DO}", [])
    return Content(
        f"B against A: {mean_text(found.mean)}, geometric mean.",
        _sections(found),
        tiles=_tiles(found),
        findings=[f"A: {found.a.label}.", f"B: {found.b.label}.", f"{heading(found)}."],
    )


_WHAT_TO_DO = (
    "A comparison takes two sweeps with cells in common. Measure again with: attnbench run …, or "
    "choose other sides."
)


def _tiles(found: Comparison) -> list[Tile]:
    kinds = ("regressed", "improved", "suspect", "unknown", "insufficient", "unchanged")
    counts = {"newly failing": len(found.newly_failing)} | {k: found.count(k) for k in kinds}
    return [
        Tile(f"{n:,}", kind, "bad" if kind in _BAD else "good" if kind in _GOOD else "plain")
        for kind, n in counts.items()
        if n
    ]


def _sections(found: Comparison) -> list[Section]:
    shared, names = subjects(found.cells)
    out = [
        Section(
            "forest",
            "Ratios",
            f"All of them: {shared}." if shared else "",
            forest(found, names),
            _cells(found, names),
            "ratios with intervals",
            shown=True,
        )
    ]
    if found.by_kernel:
        out.append(Section("kernels", "By kernel", table=_means(found), title="By kernel"))
    if len(found.one_sided) or found.failing:
        text = " ".join(f"{line}." for line in notes(found))
        table = _one_sided(found)
        out.append(Section("one_sided", "One side", text, table=table, title="Only on one side"))
    same = "Software, kernels, protocol, host and boards are the same."
    differing = [[fact.what, fact.before, fact.after] for fact in found.environment]
    out.append(
        Section(
            "environment",
            "Environment",
            "" if differing else same,
            table=Table(["What differs", "A", "B"], differing, wide=frozenset({1, 2})),
            title="What else differs",
        )
    )
    text = f"For a pull request: {tally(found)}."
    code = markdown(found, MARKDOWN_ROWS)
    return [*out, Section("markdown", "Markdown", text, code=code, title="Markdown to copy")]


def _cells(found: Comparison, names: list[str]) -> Table:
    unit = f", {found.metric.unit}" if found.metric.unit else ""
    rows = []
    for row, name in zip(tidy.records(found.cells), names, strict=True):
        rows.append(
            [
                verdict_text(row),
                name,
                change(row["ratio"]) or MISSING,
                interval(row["low"], row["high"]) or MISSING,
                number(row["before"]),
                number(row["after"]),
                f"{row['launches_before']} / {row['launches_after']}",
                MISSING if _nan(row["q"]) else f"{row['q']:.2g}",
                str(row["reason"]),
            ]
        )
    columns = ["Verdict", "What", "B over A", "95 % interval", f"A{unit}", f"B{unit}"]
    columns += ["Launches", "q", "Why"]
    return Table(columns, rows, frozenset({2, 3, 4, 5, 7}))


def _nan(value: Any) -> bool:
    return value is None or math.isnan(float(value))


def _means(found: Comparison) -> Table:
    def row(name: str, mean: Mean) -> list[str]:
        known = interval(mean.low, mean.high) or MISSING
        return [name, change(mean.ratio) or MISSING, known, f"{mean.cells:,}"]

    rows = [row(name, mean) for name, mean in found.by_kernel.items()]
    columns = ["Kernel", "Geometric mean", "95 % interval", "Cells"]
    return Table(columns, rows, frozenset({1, 2, 3}))


def _one_sided(found: Comparison) -> Table:
    rows = [
        [r["kernel"], r["problem"], r["has"], str(r["status"]).replace("_", " "), str(r["reason"])]
        for r in tidy.records(found.one_sided)
    ]
    columns = ["Kernel", "Problem", "Number in", "On the other side", "Reason"]
    return Table(columns, rows, wide=frozenset({4}))
