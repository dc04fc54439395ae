"""Sweep: which kernel is fastest on which problem, by how much, and what could not be measured?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from dashboards import charts, headline, tables, tidy
from dashboards.content import Content, Section
from dashboards.formats import count, error, listing
from dashboards.source import Source
from dashboards.tables import value_of
from harness.analysis.scaling.laws import scaling_laws

TITLE = "Sweep"
QUESTION = "Which kernel is fastest on which problem, by how much, and what could not be measured?"
PLACE = 1
CHARTS = ("latency", "throughput", "speedup", "memory", "energy", "accuracy", "failures")

MAX_KERNELS = 20
"""Kernels that a panel draws; one with more can't be read. The tables have them all."""

MAX_LEGEND = 40
"""Kernels that the panels of a chart draw together: more have no colour and shape of their own."""

MAX_CROSSINGS = 4
"""Crossings of kernels that are put in words."""

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


def build(source: Source) -> Content:
    """The page of the view's newest cells."""
    records, frame = source.records, source.frame
    if records.empty:
        return Content(EMPTY, [])
    baseline = tidy.baseline(frame, source.view.baseline or None)
    return Content(
        headline.lead(records, frame),
        sections(records, frame, baseline, "\n".join(source.commands)),
        title=headline.title(records),
        tiles=headline.tiles(records, frame),
        findings=headline.findings(frame, baseline),
    )


def sections(
    records: pd.DataFrame, frame: pd.DataFrame, baseline: str | None, command: str
) -> list[Section]:
    """Every part of the page, in order; ``frame`` is prepared, ``baseline`` None if none is ok."""
    drawn, note = drawable(frame, baseline)
    names = tidy.kernels(drawn)
    out = [] if baseline is None else [_best(frame, baseline)]

    def add(key: str, short: str, chart: Any, cell: Callable[..., str], label: str) -> None:
        table = tables.by_kernel(frame, cell)
        out.append(Section(key, short, note, chart, table, label))

    latency = value_of("latency_ms", "latency_low_ms", "latency_high_ms")
    chart = charts.latency(drawn, kernels=names)
    add("latency", "Latency", chart, latency, "latency, ms (95 % interval)")
    growth = tables.growth(frame)
    if growth.rows:
        heading = "How latency grows with length"
        text = " ".join([GROWTH, *crossed(frame)])
        out.append(
            Section("growth", "Growth", text, table=growth, label="fitted exponents", title=heading)
        )
    chart = charts.throughput(drawn, kernels=names)
    add("throughput", "Throughput", chart, value_of("tflops"), "throughput, TFLOP/s")
    if baseline is not None:
        out.append(_speedup(frame, drawn, baseline, note))
    chart = charts.memory(drawn, kernels=names)
    add("memory", "Memory", chart, value_of("peak_memory_mb"), "peak memory of a call, MB")
    if (frame["energy_j"].astype(float) > 0).any():
        energy = charts.energy(drawn, kernels=names)
        add("energy", "Energy", energy, value_of("energy_j"), "energy of a call, J")
    chart = charts.accuracy(drawn, kernels=names)
    add("accuracy", "Accuracy", chart, value_of("max_error", form=error), "largest error")
    return [*out, _failures(frame), *_origin(records, command)]


def crossed(frame: pd.DataFrame) -> list[str]:
    """Where kernels overtake each other between measured lengths, in sentences; the first few."""
    met = [one for one in scaling_laws(frame, beyond=False).crossings if one.at.measured]
    cases = len({(one.device, one.mode, one.case) for one in met})
    said = [f"{one.text}{f' ({one.case})' if cases > 1 else ''}." for one in met[:MAX_CROSSINGS]]
    if len(met) > len(said):
        said.append(f"{len(met) - len(said)} more crossings: attnbench scaling.")
    return said


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
    title = "Fastest kernel of each problem"
    return Section("fastest", "Fastest", TIES, table=tables.best(frame, baseline), title=title)


def _speedup(frame: pd.DataFrame, drawn: pd.DataFrame, baseline: str, note: str) -> Section:
    chart = charts.speedup(drawn, baseline=baseline, kernels=tidy.kernels(drawn))
    label = f"speed-up over {baseline} (95 % interval)"
    table = tables.by_kernel(tidy.speedups(frame, baseline), tables.over_baseline)
    return Section("speedup", "Speed-up", note, chart, table, label)


def _failures(frame: pd.DataFrame) -> Section:
    table = tables.failed(frame)
    label = "failures and skips by reason"
    return Section("failures", "Failures", "", charts.failures(frame), table, label, shown=True)


def _origin(records: pd.DataFrame, command: str) -> list[Section]:
    """What it ran on, which versions, and how to measure it again."""
    out = []
    ran, sources = tables.environment(records), tables.versions(records)
    if ran.rows:
        title = "What it ran on"
        out.append(Section("environment", "Environment", "", table=ran, title=title))
    if sources.rows:
        title = "Versions of the kernels"
        out.append(Section("versions", "Versions", "", table=sources, title=title))
    if command:
        text = "The same matrix again, on this machine's devices:"
        out.append(Section("reproduce", "Reproduce", text, code=command, title="Measure it again"))
    sweeps = sorted({str(s) for s in records.get("sweep_id", pd.Series(dtype=str)).dropna()})
    if sweeps and out:
        named = f"{'Sweep' if len(sweeps) == 1 else 'Sweeps'} {listing(sweeps, 6)}."
        out[-1] = replace(out[-1], text=f"{named} {out[-1].text}".strip())
    return out
