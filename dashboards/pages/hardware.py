"""Hardware: which GPU is how much faster, and what does each reach of its limits?"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from dashboards import tidy
from dashboards.charts.gpu_ratios import gpu_ratios
from dashboards.content import Content, Section, Table
from dashboards.formats import MISSING, count, is_missing, listing, number, ratio
from dashboards.source import Source
from harness.analysis.hardware import (
    FIGURES,
    Figure,
    Hardware,
    Ratios,
    figure_named,
    hardware,
    ratios,
    read_hardware,
)
from harness.analysis.hardware.figures import ALIASES
from harness.analysis.view import ALL, LAST

TITLE = "Hardware"
QUESTION = "Which GPU is how much faster, and what does each reach of its limits?"
PLACE = 2.5
CHARTS = ("gpu_ratios",)
EMPTY = "No result that is ok matches. Measure some with: attnbench run experiment=quickstart"


def build(source: Source) -> Content:
    """Every GPU over the one with most problems, by the view's metric or by latency. Of each
    series the newest sweep counts unless the view names one: GPUs seldom meet in one sweep."""
    view = source.view
    if not source.kernels:
        return Content(EMPTY, [])
    names = ("kernel", "dtype", "gpu", "experiment", "workload")
    filters: dict[str, Any] = {name: getattr(view, name) or None for name in names}
    filters |= {"since": view.since or None}
    if view.sweep not in (LAST, ALL):
        filters["sweep"] = view.sweep
    found = hardware(read_hardware(source.store, source.gpus, **filters), source.gpus)
    if not found.gpus:
        return Content(EMPTY, [])
    figure, remark = _figure(view.metric)
    if found.cells[figure.name].isna().all():
        remark = f"{figure.title} is unknown here (it needs {figure.needs}): shown by latency. "
        figure = FIGURES["latency_ms"]
    over = ratios(found, found.gpus[0], figure.name)
    sections = [
        Section(
            "gpu_ratios",
            "Ratios",
            remark.strip(),
            gpu_ratios(over, figure, _kernels(found)),
            _means(over),
            "ratios to the reference",
            shown=True,
        ),
        Section(
            "matrix",
            "Matrix",
            "The fastest kernel of each problem on each GPU, its latency, and its share of what "
            "the roofline allows.",
            table=_matrix(found),
            title="Problem by GPU",
            label="problems by GPU",
        ),
    ]
    if found.boards:
        text = "Boards of one model, over the geometric mean of their siblings on the same cells."
        boards = _boards(found)
        sections.append(Section("boards", "Boards", text, table=boards, title="Boards apart"))
    if found.warnings:
        text = "What differs besides the hardware may be what a ratio shows."
        rows = [
            [one.what, one.text.removeprefix(f"{one.what} differs: ")] for one in found.warnings
        ]
        table = Table(["What", "By GPU"], rows, wide=frozenset({1}))
        sections.append(Section("mixed", "Differences", text, table=table, title="What differs"))
    lead = f"{count(len(found.gpus), 'GPU')} ({listing(list(found.gpus), 6)}), "
    lead += f"{count(found.problems, 'problem')}, {found.shared:,} of them on every one."
    return Content(lead, sections, findings=_findings(over, figure))


def _figure(metric: str) -> tuple[Figure, str]:
    """The figure to compare by; a metric of other pages that GPUs aren't compared by is said."""
    if not metric:
        return FIGURES["latency_ms"], ""
    if metric in FIGURES or metric in ALIASES:
        return figure_named(metric), ""
    return FIGURES["latency_ms"], f"GPUs aren't compared by {metric}: shown by latency. "


def _kernels(found: Hardware) -> dict[tuple[str, str, str], str]:
    keys = found.cells[["problem_key", "mode", "gpu", "kernel"]].itertuples(index=False)
    return {(str(p), str(m), str(g)): str(k) for p, m, g, k in keys}


def _findings(over: Ratios, figure: Figure) -> list[str]:
    out = []
    for one in over.means:
        if one.gpu != over.reference and one.problems:
            span = f"{number(one.least)} to {number(one.most)}"
            out.append(
                f"{one.gpu}: {ratio(one.ratio)} the {figure.title.lower()} of {over.reference}, "
                f"geometric mean of {count(one.problems, 'problem')} ({span})."
            )
    return out


def _means(over: Ratios) -> Table:
    rows = [
        [m.gpu, "reference" if m.gpu == over.reference else ratio(m.ratio), number(m.least),
         number(m.most), f"{m.problems:,}"]
        for m in over.means
    ]  # fmt: skip
    columns = ["GPU", f"Over {over.reference}, geometric mean", "Least ×", "Most ×", "Problems"]
    return Table(columns, rows, frozenset({1, 2, 3, 4}))


def _matrix(found: Hardware) -> Table:
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for r in tidy.records(found.cells):
        row = cells.setdefault((r["workload"] or "matrix", r["problem"], r["mode"]), {})
        share = r["of_roofline"]
        known = "" if is_missing(share) or math.isnan(share) else f", {share:.0%} of roofline"
        row[r["gpu"]] = f"{number(r['latency_ms'])} ms ({r['kernel']}{known})"
    rows = [
        [f"{w}: {p}", mode, *(row.get(g, MISSING) for g in found.gpus)]
        for (w, p, mode), row in cells.items()
    ]
    return Table(["Problem", "Mode", *found.gpus], rows)


def _boards(found: Hardware) -> Table:
    rows = [
        [b.gpu, b.uuid, b.host, ratio(b.ratio, _known(b.low), _known(b.high)), f"{b.cells:,}"]
        for b in found.boards
    ]
    columns = ["GPU", "Board", "Host", "Time over siblings' (95 % interval)", "Cells"]
    return Table(columns, rows, frozenset({3, 4}))


def _known(value: float) -> float | None:
    return None if pd.isna(value) else value
