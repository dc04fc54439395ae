"""Sweep: which kernel is fastest on which problem, by how much, and what could not be measured?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd
from markupsafe import Markup

from dashboards import charts, headline, tables, tidy
from dashboards.formats import count, error, listing
from dashboards.render import Section, render
from dashboards.tables import html, value_of
from harness.analysis.query import cells as cells_of

MAX_KERNELS = 20
"""Kernels that a panel draws; one with more can't be read. The tables have them all."""

MAX_LEGEND = 40
"""Kernels that the panels of a chart draw together: more have no colour and shape of their own."""

MAX_PANELS = 24
"""Panels that a chart draws. The tables have them all."""

EMPTY = "There are no results to report yet. Measure some with: attnbench run experiment=quickstart"
TIES = (
    "The interval of a speed-up comes from the 95 % intervals of both kernels. Kernels whose "
    "interval overlaps the fastest one's are named: measure more to tell them apart."
)
GROWTH = (
    "Slope of log time over log length: 2 is quadratic, 1 is linear. A fixed cost a call flattens "
    "it at short lengths. Of three lengths the interval is wide: measure more of them to narrow it."
)


def page(
    records: pd.DataFrame,
    *,
    baseline: str | None = None,
    title: str | None = None,
    command: str = "",
    footer: str = "",
) -> str:
    """The page as HTML; the arguments are those of ``report.write_report``."""
    if records.empty:
        heading = title or "attnbench report"
        return render(title=heading, lead=EMPTY, sections=[], footer=footer)
    frame = tidy.prepare(cells_of(records))
    baseline = tidy.baseline(frame, baseline)
    return render(
        title=title or headline.title(records),
        lead=headline.lead(records, frame),
        tiles=headline.tiles(records, frame),
        findings=headline.findings(frame, baseline),
        sections=sections(records, frame, baseline, command),
        footer=footer,
    )


def sections(
    records: pd.DataFrame, frame: pd.DataFrame, baseline: str | None, command: str
) -> list[Section]:
    """Every part of the page, in order; ``frame`` is prepared, ``baseline`` None if none is ok."""
    drawn, note = drawable(frame, baseline)
    names = tidy.kernels(drawn)
    out = [] if baseline is None else [_best(frame, baseline)]

    def add(key: str, short: str, chart: Any, cell: Callable[..., str], label: str) -> None:
        table = html(tables.by_kernel(frame, cell), label)
        out.append(Section(key, short, note, chart, table, f"Table: {label}"))

    latency = value_of("latency_ms", "latency_low_ms", "latency_high_ms")
    chart = charts.latency(drawn, kernels=names)
    add("latency", "Latency", chart, latency, "latency, ms (95 % interval)")
    growth = tables.growth(frame)
    if growth.rows:
        table = html(growth, "Fitted exponents")
        heading = "How latency grows with length"
        out.append(Section("growth", "Growth", GROWTH, table=table, title=heading))
    chart = charts.throughput(drawn, kernels=names)
    add("throughput", "Throughput", chart, value_of("tflops"), "throughput, TFLOP/s")
    if baseline is not None:
        out.append(_speedup(frame, drawn, baseline, note))
    chart = charts.memory(drawn, kernels=names)
    add("memory", "Memory", chart, value_of("peak_memory_mb"), "peak memory of a call, MB")
    chart = charts.accuracy(drawn, kernels=names)
    add("accuracy", "Accuracy", chart, value_of("max_error", form=error), "largest error")
    return [*out, _failures(frame), *_origin(records, command)]


def drawable(frame: pd.DataFrame, baseline: str | None) -> tuple[pd.DataFrame, str]:
    """What charts draw of ``frame``, and a sentence on what they leave out ("" for nothing)."""
    kernels, panels = tidy.kernels(frame), tidy.panels(frame)
    kept, first = _legible(frame, baseline), panels[:MAX_PANELS]
    if len(kept) == len(kernels) and len(first) == len(panels):
        return frame, ""
    note = (
        f"Charts draw {len(kept)} of {count(len(kernels), 'kernel')} (those with most results) and "
        f"{len(first)} of {count(len(panels), 'panel')}; the tables have all. "
        "A report on one sweep has fewer: attnbench report --sweep ID"
    )
    return frame[frame["label"].isin(kept) & frame["panel"].isin(first)], note


def _legible(frame: pd.DataFrame, baseline: str | None) -> list[str]:
    """Kernels in the order of their results, the baseline first, as far as panels can be read."""
    ok = frame.loc[frame["status"] == "ok", "label"].value_counts()
    where = frame.groupby("label")["panel"].unique()
    kept: list[str] = []
    drawn: Counter[str] = Counter()
    for name in sorted(where.index, key=lambda k: (k != baseline, -int(ok.get(k, 0)), k)):
        if len(kept) < MAX_LEGEND and all(drawn[panel] < MAX_KERNELS for panel in where[name]):
            kept.append(name)
            drawn.update(where[name])
    return kept


def _best(frame: pd.DataFrame, baseline: str) -> Section:
    table = html(tables.best(frame, baseline), "Fastest kernel of each problem")
    return Section("fastest", "Fastest", TIES, table=table, title="Fastest kernel of each problem")


def _speedup(frame: pd.DataFrame, drawn: pd.DataFrame, baseline: str, note: str) -> Section:
    chart = charts.speedup(drawn, baseline=baseline, kernels=tidy.kernels(drawn))
    label = f"speed-up over {baseline} (95 % interval)"
    table: Markup = html(
        tables.by_kernel(tidy.speedups(frame, baseline), tables.over_baseline), label
    )
    return Section("speedup", "Speed-up", note, chart, table, f"Table: {label}")


def _failures(frame: pd.DataFrame) -> Section:
    failed = tables.failed(frame)
    table = html(failed, "Failures and skips by reason") if failed.rows else None
    return Section("failures", "Failures", "", charts.failures(frame), table)


def _origin(records: pd.DataFrame, command: str) -> list[Section]:
    """What it ran on, which versions, and how to measure it again."""
    out = []
    ran, sources = tables.environment(records), tables.versions(records)
    if ran.rows:
        table = html(ran, "Environment")
        if sources.rows:
            table += Markup("<p class='note'>Versions of the kernels:</p>")
            table += html(sources, "Versions of the kernels")
        heading = "What it ran on"
        out.append(Section("environment", "Environment", "", table=table, title=heading))
    if command:
        text = "The same matrix again, on this machine's devices:"
        out.append(Section("reproduce", "Reproduce", text, code=command, title="Measure it again"))
    sweeps = sorted({str(s) for s in records.get("sweep_id", pd.Series(dtype=str)).dropna()})
    if sweeps and out:
        first = out[-1]
        named = f"{'Sweep' if len(sweeps) == 1 else 'Sweeps'} {listing(sweeps, 6)}."
        out[-1] = Section(**(first.__dict__ | {"text": f"{named} {first.text}".strip()}))
    return out
