"""Health: is the data fresh, complete and quiet enough to answer questions from?"""

from __future__ import annotations

import pandas as pd

from dashboards import charts, tables, tidy
from dashboards.charts import health as draw
from dashboards.content import Content, Section, Table
from dashboards.formats import count, number, spread
from dashboards.source import Source
from harness.analysis import health
from harness.analysis.view import result_name

TITLE = "Health"
QUESTION = "Is the data fresh, complete and quiet enough to answer questions from?"
PLACE = 9
CHARTS = ("ages", "coverage", "failures", "noise")
EMPTY = "The store is empty. Measure something with: attnbench run experiment=quickstart"
STALE_DAYS = 14
"""A series without a result for so long is stale."""
NOISIEST = 50
"""Series that the table of the noisiest has."""


def build(source: Source) -> Content:
    """Ages of all series in the store; coverage, failures and noise of the view."""
    frame = source.frame
    ages = health.series_ages(source.store)
    if frame.empty and ages.empty:
        return Content(EMPTY, [])
    stale = ages[ages["age_days"] > STALE_DAYS]
    sections = [
        Section(
            "ages",
            "Stale series",
            "",
            draw.ages(ages),
            _stale(stale),
            f"stale series: without a result for more than {STALE_DAYS} days",
        )
    ]
    if len(frame):
        covered, noisy = health.coverage(frame), health.noise(frame)
        sections += [
            Section(
                "coverage",
                "Coverage",
                "",
                draw.coverage(covered),
                _covered(covered),
                "problems with a result",
            ),
            Section(
                "failures",
                "Failures",
                "",
                charts.failures(frame),
                tables.failed(frame),
                "failures and skips by reason",
                shown=True,
            ),
            Section(
                "noise",
                "Noise",
                "",
                draw.noise(noisy),
                _noisiest(frame),
                f"the {NOISIEST} noisiest measurements",
            ),
        ]
    return Content(_lead(ages, stale, frame), sections)


def _lead(ages: pd.DataFrame, stale: pd.DataFrame, frame: pd.DataFrame) -> str:
    said = f"{len(ages):,} series in the store, {len(stale):,} of them stale (no result for more "
    said += f"than {STALE_DAYS} days before the newest)."
    if len(frame):
        by = frame["outcome"].value_counts()
        said += f" Shown: {count(int(by.get('ok', 0)), 'cell')} ok, {by.get('failed', 0):,} failed,"
        said += f" {by.get('skipped', 0):,} skipped."
    return said


def _stale(stale: pd.DataFrame) -> Table:
    rows = [
        [
            *(r["kernel"], r["device"], r["mode"], r["started_at"][:10]),
            *(f"{r['age_days']:.0f}", r["status"], r["series_key"]),
        ]
        for r in tidy.records(stale.head(500))
    ]
    columns = ["Kernel", "Device", "Mode", "Newest result", "Age, days", "Status", "Series"]
    return Table(columns, rows, frozenset({4}))


def _covered(frame: pd.DataFrame) -> Table:
    rows = [
        [r["kernel"], r["part"], *(f"{r[c]:,}" for c in ("problems", "ok", "failed", "skipped"))]
        for r in tidy.records(frame)
    ]
    columns = ["Kernel", "Workload · dtype", "Problems", "Ok", "Failed", "Skipped"]
    return Table(columns, rows, frozenset({2, 3, 4, 5}))


def _noisiest(frame: pd.DataFrame) -> Table:
    known = frame.assign(width=health.widths(frame)).dropna(subset=["width"])
    rows, names = [], []
    for r in tidy.records(known.nlargest(NOISIEST, "width")):
        time = spread(r["latency_ms"], r["latency_low_ms"], r["latency_high_ms"])
        row = [r["label"], r["problem"], r["machine"], number(100 * r["width"]), time]
        rows.append([*row, f"{r['launches']:,}", r["flags"] or ""])
        names.append(result_name(r["sweep_id"], r["job_key"]))
    columns = ["Kernel", "Problem", "Machine", "± %", "Latency, ms (95 % interval)", "Launches"]
    return Table([*columns, "Remarks"], rows, frozenset({3, 4, 5}), results=names)
