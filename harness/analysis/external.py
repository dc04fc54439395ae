"""Results of other tools as frames: their history, and a comparison of two versions.

    frame = externals(store, benchmark="decode*", since="90d")
    changes = compare_versions(frame, "v1.2", "v1.3")

They are in no frame of ``harness.analysis.query``: nobody checked them against an oracle, so every
row says ``checked`` False, and they are never ranked among kernels.
"""

from __future__ import annotations

import fnmatch
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import select

from harness.analysis.query import Names, names_of
from harness.analysis.since import parse_since
from harness.analysis.welch import change
from harness.model.external import OPERATOR
from harness.store import Store, schema
from harness.store.rows import unpack_samples

COLUMNS = [
    "operator",
    "checked",
    "benchmark",
    "params",
    "measure",
    "unit",
    "device",
    "measured_at",
    "version",
    "source",
    "statistic",
    "repeats",
    "value",
    "low",
    "high",
    "values",
    "higher_is_better",
    "origin",
    "metadata",
    "series_key",
]
"""Columns of ``externals``, in order; params and metadata are JSON text, values a tuple."""

LEAST_EFFECT = 0.02
"""Smallest relative change that is called one, as for latency (harness.analysis.metrics)."""
LEAST_REPEATS = 3
"""Repeats that each side of a comparison needs."""


def externals(
    store: Store,
    *,
    benchmark: Names = None,
    device: Names = None,
    measure: Names = None,
    source: Names = None,
    version: Names = None,
    since: str | None = None,
) -> pd.DataFrame:
    """Every matching result of another tool, the oldest first; ``benchmark`` takes globs too.

    ``value`` is in the row's ``unit``; ``low`` and ``high`` bound the median within the run (95 %)
    and are NaN below 6 repeats.
    """
    series, result = schema.external_series.c, schema.external_result.c
    query = (
        select(
            *(series[name] for name in ("benchmark", "params", "measure", "unit", "device")),
            *(result[name] for name in ("measured_at", "version", "source", "statistic")),
            result.value_count.label("repeats"),
            *(result[name] for name in ("value", "low", "high")),
            result.repeats.label("values"),
            *(result[name] for name in ("higher_is_better", "origin", "metadata")),
            series.key.label("series_key"),
        )
        .join_from(schema.external_result, schema.external_series)
        .order_by(result.measured_at, result.id)
    )
    for column, names in (
        (series.device, device),
        (series.measure, measure),
        (result.source, source),
        (result.version, version),
    ):
        if names is not None:
            query = query.where(column.in_(names_of(names)))
    if since is not None:
        query = query.where(result.measured_at >= parse_since(since))
    with store.reading() as connection:
        if benchmark is not None:
            known = connection.scalars(select(series.benchmark).distinct())
            query = query.where(series.benchmark.in_(_matching(list(known), names_of(benchmark))))
        rows = connection.execute(query)
        frame = pd.DataFrame([tuple(row) for row in rows], columns=list(rows.keys()))
    frame["values"] = [unpack_samples(blob) for blob in frame["values"]]
    for name in ("value", "low", "high"):
        frame[name] = pd.to_numeric(frame[name]).astype("float64")
    return frame.assign(operator=OPERATOR, checked=False)[COLUMNS]


def _matching(known: list[str], patterns: list[str]) -> list[str]:
    return [name for name in known if any(fnmatch.fnmatchcase(name, p) for p in patterns)]


def compare_versions(frame: pd.DataFrame, before: str, after: str) -> pd.DataFrame:
    """What changed between two versions, a row a series that has both.

    With LEAST_REPEATS runs on each side their values are compared, else the repeats of the newest
    run on each side (``basis`` says which: repeats of one run don't show how far runs differ). The
    test is Welch's t on logarithms (FIELD.md §11); ``verdict`` is improved, regressed, unchanged
    (the 95 % interval of the change lies within LEAST_EFFECT), unknown, or insufficient where there
    are no repeats; ``reason`` says why it is one of the last two.
    """
    rows = []
    for key, series in frame.groupby("series_key", sort=False):
        sides = [series[series["version"] == version] for version in (before, after)]
        if not any(side.empty for side in sides):
            about = {n: series[n].iloc[-1] for n in ("benchmark", "params", "measure", "unit")}
            rows.append(
                {"series_key": key, **about, "device": series["device"].iloc[-1], "checked": False}
                | _verdict(sides[0], sides[1])
            )
    columns = ["series_key", "benchmark", "params", "measure", "unit", "device", "checked"]
    columns += ["before", "after", "change", "verdict", "basis", "reason"]
    return pd.DataFrame(rows, columns=columns)


def _verdict(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, Any]:
    """The comparison of the results of one series at two versions."""
    medians = [float(side["value"].median()) for side in (old, new)]
    out: dict[str, Any] = {"before": medians[0], "after": medians[1], "basis": "runs", "reason": ""}
    out["change"] = medians[1] / medians[0] - 1 if medians[0] else np.nan
    samples = [np.asarray(side["value"], dtype=float) for side in (old, new)]
    if min(map(len, samples)) < LEAST_REPEATS:
        out["basis"] = "repeats of one run"
        samples = [np.asarray(side["values"].iloc[-1], dtype=float) for side in (old, new)]
    fewest = min(map(len, samples))
    if fewest < LEAST_REPEATS:
        return out | {
            "verdict": "insufficient",
            "reason": f"{fewest} of the {LEAST_REPEATS} repeats that each side needs",
        }
    if min(values.min() for values in samples) <= 0:
        return out | {"verdict": "insufficient", "reason": "values that aren't positive"}
    found = change(samples[0], samples[1], LEAST_EFFECT)
    out["change"] = found.ratio - 1
    if found.still:
        return out | {"verdict": "unchanged"}
    if not found.moved:
        return out | {"verdict": "unknown", "reason": "too much spread to tell: measure more"}
    higher = new["higher_is_better"].iloc[-1]
    if higher is None or pd.isna(higher):
        return out | {"verdict": "unknown", "reason": "it changed, but which way is good?"}
    return out | {"verdict": "improved" if (found.ratio > 1) == bool(higher) else "regressed"}
