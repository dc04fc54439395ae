"""Accuracy: how far is each kernel from the fp64 oracle, by dtype and length, and over time?"""

from __future__ import annotations

import pandas as pd

from dashboards import charts, tables, tidy
from dashboards.charts.error_history import error_history
from dashboards.content import Content, Section, Table
from dashboards.formats import count, error, listing, number
from dashboards.pages.sweep import drawable
from dashboards.source import Source
from dashboards.tables import value_of
from harness.analysis.errors import errors_over_time

TITLE = "Accuracy"
QUESTION = "How far is each kernel from the fp64 oracle, by dtype and length, and over time?"
PLACE = 5
CHARTS = ("error_ratio", "accuracy", "error_history")
EMPTY = "No result has an error yet. Measure some with: attnbench run experiment=quickstart"
_CHECKED = (
    "Every output of the first call, and of the last timed one on fresh values, was compared. A "
    "kernel beyond its bound has no speed anywhere."
)


def build(source: Source) -> Content:
    """Errors of the view's newest cells, and of the worst series over time."""
    frame = source.frame
    known = frame[frame["max_error"].notna()] if len(frame) else frame
    if known.empty:
        return Content(EMPTY, [])
    drawn, note = drawable(frame, None)
    names = tidy.kernels(drawn)
    table = tables.by_kernel(frame, value_of("max_error", form=error))
    past = over_time(source, known)
    return Content(
        _lead(known),
        [
            Section(
                "error_ratio",
                "By dtype",
                f"{_CHECKED} {note}".strip(),
                charts.error_ratio(drawn),
                by_dtype(known),
                "error of each kernel and dtype",
            ),
            Section(
                "accuracy",
                "By length",
                note,
                charts.accuracy(drawn, kernels=names),
                table,
                "largest error",
            ),
            Section(
                "error_history",
                "Over time",
                "",
                error_history(past),
                _past_table(past),
                "largest error of each sweep",
            ),
        ],
    )


def _lead(known: pd.DataFrame) -> str:
    wrong = sorted(set(known.loc[known["status"] == "incorrect", "label"]))
    said = f"{count(len(known), 'cell')} of {count(known['label'].nunique(), 'kernel')} checked. "
    return said + (f"Wrong on some problem: {listing(wrong)}." if wrong else "None was wrong.")


def by_dtype(known: pd.DataFrame) -> Table:
    """A row a kernel and dtype: cells, largest error, and that over plain torch's."""
    rows = []
    for (kernel, dtype), group in known.groupby(["label", "dtype"]):
        largest = group["max_error"].astype(float)
        times = largest / group["baseline_max_error"].astype(float)
        worst = group.iloc[int(largest.argmax())]
        wrong = int((group["status"] == "incorrect").sum())
        row = [str(kernel), str(dtype), f"{len(group):,}", f"{wrong:,}", error(largest.max())]
        rows.append([*row, number(times.median(), 2), number(times.max(), 2), worst["problem"]])
    columns = ["Kernel", "Dtype", "Cells", "Wrong", "Largest error"]
    columns += ["Over plain torch's, median ×", "Largest ×", "Largest error on"]
    return Table(columns, rows, frozenset({2, 3, 4, 5, 6}))


def over_time(source: Source, known: pd.DataFrame) -> pd.DataFrame:
    """Errors, a row a sweep, of each kernel's and dtype's series that is now worst off."""
    right = known[(known["status"] == "ok") & known["series_key"].notna()]
    if right.empty or source.store is None:
        return pd.DataFrame(columns=["panel", "kernel", "problem", "sweep_id", "max_error"])
    times = right["max_error"].astype(float) / right["baseline_max_error"].astype(float)
    worst = right.loc[times.fillna(0).groupby([right["label"], right["dtype"]]).idxmax()]
    named = worst.set_index("series_key")[["label", "dtype", "problem"]]
    past = errors_over_time(source.store, list(named.index))
    return past.join(named, on="series_key").rename(columns={"label": "kernel", "dtype": "panel"})


def _past_table(past: pd.DataFrame) -> Table:
    rows = [
        [r["kernel"], r["problem"], r["started_at"][:10], r["sweep_id"], error(r["max_error"])]
        for r in tidy.records(past)
    ]
    return Table(["Kernel", "Problem", "Day", "Sweep", "Largest error"], rows, frozenset({4}))
