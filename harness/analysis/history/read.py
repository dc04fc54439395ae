"""Tracks of the store's kernels: narrow rows from the database, one point a sweep and board.

A point is the median of a sweep's launches, as a cell of ``harness.analysis.cells`` is: a sweep
with a launch that ended otherwise than ok has none. Results that were excluded, and what lies
before the latest baseline of a series, are left out.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Select, exists, func, select

from harness.analysis.history.about import SURROUNDINGS, About
from harness.analysis.history.figures import COLUMNS, ingredients
from harness.analysis.history.track import Track
from harness.analysis.metrics import Metric
from harness.analysis.query import Names, names_of
from harness.analysis.read_off import columns_of
from harness.analysis.view import View
from harness.errors import ConfigError, did_you_mean
from harness.store import Store, schema

_R = schema.result.c
CLOCK_STEP = pd.Timedelta(minutes=1)
"""A clock that goes back by more was set; by less, it was corrected."""
_POINT = ["series_id", "sweep_id", "device_id"]
_LAUNCH = ["sweep_id", "job_id", "launch"]


@dataclass(frozen=True)
class Filters:
    """Which series; None is no filter."""

    kernel: Names = None
    """Kernel names or globs."""
    dtype: Names = None
    """Element types."""
    gpu: Names = None
    """GPU names asked for."""
    workload: Names = None
    """Workload configs."""
    series: str | None = None
    """Series key, or its beginning."""

    @classmethod
    def of_view(cls, view: View) -> Filters:
        """The series that someone looks at."""
        return cls(
            kernel=view.kernel or None,
            dtype=view.dtype or None,
            gpu=view.gpu or None,
            workload=view.workload or None,
        )


def read_tracks(store: Store, metrics: Sequence[Metric], which: Filters) -> list[Track]:
    """Every matching series' track for each metric that it has a value of, in order of title.

    Raises:
        ConfigError: a filter names nothing in this store (says what is close).
    """
    wanted = list(dict.fromkeys(name for metric in metrics for name in ingredients(metric)))
    with store.reading() as connection:
        jobs = _jobs(connection, which)
        columns = [COLUMNS[name][0].label(name) for name in wanted if name in COLUMNS]
        read_off = [name for name in wanted if name not in COLUMNS]
        columns += [_R.conditions] if read_off else []
        plain = [_R[name] for name in ("id", "series_id", "sweep_id", "job_id", "launch")]
        plain += [_R[name] for name in ("status", "started_at", "kernel_file_id")]
        plain += [_R[f"{name}_id"] for name in SURROUNDINGS]
        query = (
            select(*plain, *columns)
            .where(_R.job_id.in_(jobs), _R.status != "skipped")
            .where(~exists().where(schema.exclusion.c.result_id == _R.id))
            .order_by(_R.id)
        )
        if which.workload is not None:
            query = query.where(_R.workload.in_(names_of(which.workload)))
        rows = connection.execute(query)
        names = list(rows.keys())
        frame = pd.DataFrame.from_records(list(map(tuple, rows.all())), columns=names)
        off = columns_of(list(frame["conditions"])) if read_off else {}
        for name in wanted:
            if name in COLUMNS:
                frame[name] = pd.to_numeric(frame[name]).astype("float64") * COLUMNS[name][1]
            else:
                frame[name] = off[name].to_numpy()
        points = _points(frame, wanted)
        about = About(connection, points)
        points = _in_order(_since_baseline(connection, points), about)
    return _tracks(points, metrics, about)


def _jobs(connection: Connection, which: Filters) -> Select[Any]:
    """A query of the ids of the jobs that match."""
    kernel, problem, job = schema.kernel, schema.problem, schema.job
    query = select(job.c.id).select_from(job.join(kernel).join(problem))
    known: Any
    for what, names, column in (
        ("kernel", which.kernel, kernel.c.name),
        ("dtype", which.dtype, problem.c.dtype),
        ("gpu", which.gpu, job.c.gpu),
        ("workload", which.workload, _R.workload),
    ):
        if names is None:
            continue
        known = list(connection.scalars(select(column).distinct()))
        found = [k for k in known if any(_matches(what, k, n) for n in names_of(names))]
        if not found:
            asked = ", ".join(names_of(names))
            raise ConfigError(
                f"no result of {what}={asked} here. {did_you_mean(asked, filter(None, known))}"
            )
        if what != "workload":
            query = query.where(column.in_(found))
    if which.series is not None:
        series = schema.series.c
        keys = select(series.kernel_id, series.problem_id, series.mode).where(
            func.substr(series.key, 1, len(which.series)) == which.series
        )
        rows = connection.execute(keys).all()
        if len(rows) != 1:
            some = "none" if not rows else f"{len(rows)} of them"
            raise ConfigError(
                f"series={which.series}: {some} begins so (attnbench history --format json "
                "has the keys)"
            )
        row = rows[0]
        query = query.where(job.c.kernel_id == row[0], job.c.problem_id == row[1])
        query = query.where(job.c.mode == row[2])
    return query


def _matches(what: str, known: str, name: str) -> bool:
    return fnmatch.fnmatchcase(known, name) if what == "kernel" else known == name


def _points(frame: pd.DataFrame, figures: list[str]) -> pd.DataFrame:
    """One row a series, sweep and board: medians of launches, all else of the first good one."""
    good = frame[frame["status"] == "ok"]
    launches = pd.MultiIndex.from_frame(good[_LAUNCH])
    bad = frame[(frame["status"] != "ok").to_numpy() & ~_among(frame, launches, _LAUNCH)]
    # A launch that never reached a device has no series: it counts against its job's in that sweep.
    spoilt = pd.MultiIndex.from_frame(bad[["sweep_id", "job_id"]])
    good = good[~_among(good, spoilt, ["sweep_id", "job_id"])]
    group = good.groupby(_POINT, sort=False)
    first = good.drop_duplicates(_POINT).set_index(_POINT)
    out = first.drop(columns=["status", "launch", "job_id", *figures])
    out = out.join(group[figures].median())
    out["started_at"] = group["started_at"].min()
    return out.reset_index()


def _among(frame: pd.DataFrame, keys: pd.MultiIndex, names: list[str]) -> np.ndarray:
    if not len(keys) or frame.empty:
        return np.zeros(len(frame), dtype=bool)
    return np.asarray(pd.MultiIndex.from_frame(frame[names]).isin(keys))


def _since_baseline(connection: Connection, points: pd.DataFrame) -> pd.DataFrame:
    b = schema.baseline.c
    rows = connection.execute(select(b.series_id, func.max(b.starts_at)).group_by(b.series_id))
    starts = {row[0]: row[1] for row in rows}
    if not starts:
        return points
    return points[points["started_at"] >= points["series_id"].map(starts).fillna("")]


def _in_order(points: pd.DataFrame, about: About) -> pd.DataFrame:
    """By series; within one by commit where every point has one of the same file, else by time."""
    commits = points["revision_id"].map(
        {id_: row["commit_time"] if row["commit"] else "" for id_, row in about.revision.items()}
    )
    places = points["kernel_file_id"].map(about.places)
    series = points["series_id"]
    in_git = (commits.fillna("") != "").groupby(series).transform("all")
    one_place = places.groupby(series).transform("nunique") == 1
    by_commit = (in_git & one_place).astype(bool)
    hosts = points["device_id"].map({id_: row["host"] for id_, row in about.device.items()})
    arrived = points.assign(_host=hosts).sort_values("id")
    # A record may come without a readable time; such a one is never late.
    moment = pd.to_datetime(arrived["started_at"], format="ISO8601", utc=True, errors="coerce")
    latest = moment.groupby([arrived["series_id"], arrived["_host"]]).cummax()
    late = (latest - moment) > CLOCK_STEP
    out = points.assign(
        _by_commit=by_commit, _late=late.reindex(points.index), _order=commits.where(by_commit, "")
    )
    return out.sort_values(["series_id", "_order", "started_at", "id"], kind="stable")


def _tracks(points: pd.DataFrame, metrics: Sequence[Metric], about: About) -> list[Track]:
    found = []
    columns = {metric.name: metric.formula(points).to_numpy(float) for metric in metrics}
    ids = [points[f"{name}_id"].tolist() for name in SURROUNDINGS]
    facts = list(map(about.facts, *ids))
    at, late = points["started_at"].tolist(), points["_late"].to_numpy()
    by_commit = points["_by_commit"].to_numpy()
    sweeps = [about.sweep[i]["key"] for i in points["sweep_id"]]
    boards = [about.device[i]["uuid"] for i in points["device_id"]]
    series = points["series_id"].to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(series)) + 1), len(series)] if len(series) else [0]
    for start, end in pairwise(edges):
        id_, part = int(series[start]), slice(int(start), int(end))
        order = bool(by_commit[start]), int(late[part].sum())
        for metric in metrics:
            values = columns[metric.name][part]
            if np.isfinite(values).any():
                key, labels = about.series[id_]["key"], about.labels[id_]
                found.append(
                    Track(
                        key,
                        metric.name,
                        metric.unit,
                        metric.higher_is_better,
                        metric.least_effect,
                        labels,
                        values,
                        at[part],
                        sweeps[part],
                        boards[part],
                        facts[part],
                        *order,
                    )
                )
    return sorted(found, key=lambda track: (track.title, track.metric))
