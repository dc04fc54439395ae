"""The state of a store's data: how old each series is, what is covered, how noisy machines are."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from harness.analysis.slices import latest_values
from harness.store import Store


def series_ages(store: Store) -> pd.DataFrame:
    """``latest_values`` with ``age_days``: before the newest result in the store, so that a store
    at rest doesn't grow stale. The oldest first."""
    frame = latest_values(store)
    if frame.empty:
        return frame.assign(age_days=pd.Series(dtype="float64"))
    moments = [datetime.fromisoformat(text[:19]) for text in frame["started_at"]]
    newest = max(moments)
    days = [(newest - moment).total_seconds() / 86_400 for moment in moments]
    return frame.assign(age_days=days).sort_values("age_days", ascending=False, kind="stable")


def coverage(cells: pd.DataFrame) -> pd.DataFrame:
    """Of prepared ``cells``, a row a kernel and part of the matrix (workload · dtype): problems
    that any kernel was asked for, and of those ok, failed and skipped for this one."""
    part = cells["workload"].fillna("").replace("", "matrix") + " · " + cells["dtype"]
    keyed = cells.assign(part=part)
    problems = keyed.groupby("part", sort=False)[["problem_key", "machine"]].apply(
        lambda group: len(group.drop_duplicates())
    )
    counts = keyed.groupby(["label", "part"], sort=False)["outcome"].value_counts().unstack()
    counts = counts.reindex(columns=["ok", "failed", "skipped"]).fillna(0).astype(int)
    out = counts.reset_index().rename(columns={"label": "kernel"})
    return out.assign(problems=out["part"].map(problems).astype(int))


def widths(cells: pd.DataFrame) -> pd.Series:
    """Half width of each cell's 95 % interval over its latency; NaN where there is none."""
    low, high = (cells[c].astype(float) for c in ("latency_low_ms", "latency_high_ms"))
    return (high - low) / 2 / cells["latency_ms"].astype(float)


def noise(cells: pd.DataFrame) -> pd.DataFrame:
    """A row a machine of prepared ``cells``: cells, p10, middle, p90 and most of ``widths``."""
    known = cells.assign(width=widths(cells))
    known = known[np.isfinite(known["width"]) & (known["width"] > 0)]
    groups = known.groupby("machine")["width"]
    parts = {"p10": 0.1, "middle": 0.5, "p90": 0.9, "most": 1.0}
    columns = {name: groups.quantile(share) for name, share in parts.items()}
    return pd.DataFrame(columns | {"cells": groups.size()}).reset_index()
