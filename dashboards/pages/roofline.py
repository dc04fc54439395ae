"""Roofline: how much of what each GPU can do does each kernel reach, in prefill and in decoding?"""

from __future__ import annotations

import pandas as pd

from dashboards import charts, tidy
from dashboards.charts.roofline import Roof, placed, roofs
from dashboards.content import Content, Section, Table
from dashboards.formats import count, is_missing, number
from dashboards.pages.sweep import drawable
from dashboards.source import Source

TITLE = "Roofline"
QUESTION = "How much of what each GPU can do does each kernel reach, in prefill and in decoding?"
PLACE = 2
CHARTS = ("roofline",)
EMPTY = "No cell has a throughput yet. Measure some with: attnbench run experiment=quickstart"


def build(source: Source) -> Content:
    """Every ok cell of the view under the roof of its device and dtype."""
    points = placed(source.frame) if len(source.frame) else source.frame
    if points.empty:
        return Content(EMPTY, [])
    drawn, note = drawable(source.frame, None)
    known = roofs(points, source.gpus)
    sections = [
        Section(
            "roofline",
            "Roofline",
            note,
            charts.roofline(drawn, gpus=source.gpus),
            _points(points),
            "every point",
        )
    ]
    if known:
        title, text = "Ceilings and where they are from", "Dense peaks with fp32 accumulation."
        sections.append(Section("ceilings", "Ceilings", text, table=_ceilings(known), title=title))
    return Content(_lead(points, known), sections)


def _lead(points: pd.DataFrame, known: list[Roof]) -> str:
    by = points["phase"].value_counts()
    said = f"{count(int(by.get('prefill', 0)), 'cell')} of prefill, {by.get('decode', 0):,} of "
    said += "decoding. "
    best = points.loc[points["peak_share"].astype(float).notna()]
    if not known or best.empty:
        return said + "No peak is known for this hardware, so nothing says how near to it they are."
    top = best.iloc[int(best["peak_share"].astype(float).argmax())]
    share = f"{100 * top['peak_share']:.0f} %"
    return said + f"Nearest to its peak: {top['label']} with {share} on {top['panel']}."


def _ceilings(known: list[Roof]) -> Table:
    rows = [
        [
            roof.panel,
            number(roof.peak_tflops),
            number(roof.bandwidth_gb_s),
            number(roof.ridge),
            f"{roof.gpu.source} ({roof.gpu.source_date})" if roof.gpu.source else "not given",
        ]
        for roof in known
    ]
    columns = ["Device · dtype", "Peak, TFLOP/s", "Bandwidth, GB/s", "Ridge, FLOP/B", "Source"]
    return Table(columns, rows, frozenset({1, 2, 3}), frozenset({4}))


def _points(points: pd.DataFrame) -> Table:
    rows = []
    for cell in tidy.records(points):
        share = cell["peak_share"]
        row = [cell["panel"], cell["label"], cell["phase"], cell["problem"]]
        row += [number(cell["intensity"]), number(cell["tflops"])]
        rows.append([*row, "–" if is_missing(share) else f"{100 * share:.1f}"])
    columns = ["Device · dtype", "Kernel", "Phase", "Problem", "Intensity, FLOP/B", "TFLOP/s"]
    return Table([*columns, "Share of peak, %"], rows, frozenset({4, 5, 6}))
