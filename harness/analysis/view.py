"""View: which results someone looks at, as a page, a report and a link say it; and their records.

    view = View(kernel=("sdpa_*",), sweep="all")
    view_records(store, view, gpus())          # the frame of harness.analysis.query.results
    View.from_params({"kernel": "sdpa_*", "sweep": "all"}) == view

``sweep="all"`` is what is known now: of each series the newest sweep's results, found from the
index, so that it costs the same with a thousand sweeps as with one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd
from sqlalchemy import Connection, and_, func, or_, select

from harness.analysis.query import results
from harness.analysis.since import parse_since
from harness.errors import ConfigError, did_you_mean
from harness.model import Gpu
from harness.store import Store, schema
from harness.store.dimensions import LOOKUP

LAST, ALL = "last", "all"


@dataclass(frozen=True)
class View:
    """Filters that all pages share. An empty one lets everything through."""

    sweep: str = LAST
    """A sweep's id, ``last``, or ``all``: the newest results of each series."""
    kernel: tuple[str, ...] = ()
    """Names or globs of kernels."""
    workload: tuple[str, ...] = ()
    """Names of workloads."""
    dtype: tuple[str, ...] = ()
    """Element types."""
    gpu: tuple[str, ...] = ()
    """Names of the hardware asked for."""
    experiment: tuple[str, ...] = ()
    """Names of experiments."""
    since: str = ""
    """An ISO date or time, or an age such as 7d."""
    baseline: str = ""
    """Kernel that speed-ups are over; "" leaves it to the page."""
    a: str = ""
    """What a comparison is relative to (harness.analysis.compare.sides); "" for the sweep before
    the newest."""
    b: str = ""
    """What is compared with it; "" for the newest sweep."""
    by: str = ""
    """Axis whose values ``a`` and ``b`` are; "" where they are sweeps, tags, commits or dates."""
    metric: str = ""
    """Figure that is compared or followed; "" leaves it to the page."""
    result: str = ""
    """One measurement: ``SWEEP/JOB`` as ``result_name`` writes it."""

    def to_params(self) -> dict[str, str | list[str]]:
        """What a link says: the fields that differ from their default."""
        out: dict[str, str | list[str]] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if value != f.default:
                out[f.name] = list(value) if isinstance(value, tuple) else value
        return out

    @classmethod
    def from_params(cls, params: Mapping[str, str | Iterable[str]]) -> View:
        """Inverse of ``to_params``; a text with commas is several values.

        Raises:
            ConfigError: a name that is no filter, or ``since`` is no time.
        """
        known = {f.name: f for f in fields(cls)}
        given: dict[str, Any] = {}
        for name, value in params.items():
            if name not in known:
                raise ConfigError(f"{name!r} is no filter. {did_you_mean(name, known)}")
            values = value.split(",") if isinstance(value, str) else [str(v) for v in value]
            if isinstance(known[name].default, tuple):
                given[name] = tuple(v for v in values if v)
            else:
                given[name] = values[-1] if values else known[name].default
        view = cls(**given)
        if view.since:
            parse_since(view.since)
        return view


def result_name(sweep_id: str, job_key: str) -> str:
    """The permanent name of what one sweep measured of one job."""
    return f"{sweep_id}/{job_key}"


def sweep_of_view(store: Store, view: View) -> str | None:
    """Id of the view's sweep; None for all, and where there is none yet."""
    if view.sweep == ALL:
        return None
    if view.sweep != LAST:
        return store.sweep(view.sweep).id
    with store.reading() as connection:
        newest: str | None = connection.scalar(select(func.max(schema.sweep.c.key)))
        return newest


def view_records(
    store: Store, view: View, gpus: Mapping[str, Gpu] | None = None, *, kernels: bool = True
) -> pd.DataFrame:
    """The records that ``view`` shows, as ``results`` gives them; ``kernels=False`` leaves the
    filter on kernels aside.

    Raises:
        ConfigError: a filter can't be read.
        StoreError: no such sweep, or the database can't be read.
    """
    filters: dict[str, Any] = {
        name: getattr(view, name) or None
        for name in ("dtype", "gpu", "experiment", "workload", "since")
    }
    filters["kernel"] = (view.kernel or None) if kernels else None
    if view.sweep != ALL:
        # Where there is no sweep yet, an id that none has: the frame is empty and has its columns.
        filters["sweep"] = sweep_of_view(store, view) or ""
        return results(store, gpus=gpus, **filters)
    with store.reading() as connection:
        ids = newest_ids(connection)
    return results(store, gpus=gpus, ids=ids, **filters)


def newest_ids(connection: Connection) -> list[int]:
    """Ids of what each series' newest sweep says of it, excluded results left out, in the order of
    arrival; and of the skips and losses of those sweeps, which belong to no series.

    A series' newest result is found from the newest end of the index (series, time), and the rest
    of its sweep lies beside it there, from the sweep's start on.
    """
    r, newest, series = schema.result.c, schema.result.alias("newest"), schema.series
    excluded = select(schema.exclusion.c.result_id)
    of_series = (
        select(newest.c.id)
        .where(newest.c.series_id == series.c.id, newest.c.id.not_in(excluded))
        .order_by(newest.c.started_at.desc(), newest.c.id.desc())
        .limit(1)
        .correlate(series)
        .scalar_subquery()
    )
    ids = [i for i in connection.scalars(select(of_series).select_from(series)) if i is not None]
    found: list[int] = []
    sweeps: set[int] = set()
    own = schema.result.alias("own")
    for start in range(0, len(ids), LOOKUP):
        page = ids[start : start + LOOKUP]
        beside = (
            select(r.id, r.sweep_id)
            .select_from(own)
            .join(schema.sweep, own.c.sweep_id == schema.sweep.c.id)
            .join(
                schema.result,
                and_(
                    r.series_id == own.c.series_id,
                    r.started_at >= schema.sweep.c.started_at,
                    r.sweep_id == own.c.sweep_id,
                ),
            )
            .where(own.c.id.in_(page))
        )
        for id_, sweep_id in connection.execute(beside):
            found.append(id_)
            sweeps.add(sweep_id)
    nowhere = select(r.id).where(r.series_id.is_(None))
    newest_sweep = connection.scalar(select(func.max(schema.sweep.c.id)))
    known = or_(r.sweep_id.in_(sorted(sweeps)[-LOOKUP:]), r.sweep_id == newest_sweep)
    found += connection.scalars(nowhere.where(known))
    return sorted(found)
