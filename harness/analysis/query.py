"""The store as tidy frames: one row a record (``results``), cell (``cells``), series (``latest``).

    with open_store("results/attnbench.db", read_only=True) as store:
        frame = results(store, kernel="sdpa_*", dtype="bf16", since="7d")
    fastest = cells(frame).sort_values("latency_ms")

Filters run in the database. Units stand in the columns' names; ms are of one call.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from harness.analysis.cells import cells, latest
from harness.analysis.metrics import METRICS
from harness.analysis.peaks import peak_tflops
from harness.analysis.read_off import columns_of
from harness.analysis.reproduce import reproduce
from harness.analysis.since import parse_since
from harness.errors import ConfigError, did_you_mean
from harness.model import Gpu, Problem, Status
from harness.operators import cost_model, operator_names
from harness.store import Store, schema
from harness.store.dimensions import LOOKUP, rows_by_id
from harness.store.rows import problem_of

__all__ = ["COLUMNS", "cells", "kernel_names", "latest", "results"]

COLUMNS = [
    "sweep_id",
    "experiment",
    "workload",
    "operator",
    "kernel",
    "kernel_options",
    "problem_key",
    "problem",
    "batch",
    "heads_q",
    "heads_kv",
    "seq_q",
    "seq_k",
    "head_dim_qk",
    "head_dim_v",
    "dtype",
    "kv_dtype",
    "mask",
    "direction",
    "mode",
    "gpu",
    "device",
    "device_kind",
    "device_uuid",
    "host",
    "launch",
    "attempt",
    "status",
    "reason",
    "samples",
    "latency_ms",
    "latency_low_ms",
    "latency_high_ms",
    "tflops",
    "bandwidth_gb_s",
    "peak_share",
    "peak_memory_mb",
    "device_peak_memory_mb",
    "kv_cache_mb",
    "energy_j",
    "tflops_per_w",
    "setup_ms",
    "first_call_ms",
    "max_error",
    "baseline_max_error",
    "error_over_baseline",
    "rmse_ratio",
    "cosine",
    "power_w",
    "clock_mhz",
    "temperature_c",
    "throttle_reasons",
    "compile_cache",
    "autotune",
    "stop_reason",
    "flags",
    "flops",
    "min_bytes",
    "torch",
    "cuda",
    "driver",
    "python",
    "harness",
    "harness_commit",
    "source_hash",
    "library",
    "library_version",
    "started_at",
    "duration_s",
    "job_key",
    "series_key",
]
"""Columns of ``results``, in order."""

_FLOATS = [
    "latency_ms",
    "latency_low_ms",
    "latency_high_ms",
    "peak_bytes",
    "setup_ms",
    "first_call_ms",
    "max_error",
    "baseline_max_error",
    "rmse_ratio",
    "cosine",
    "flops",
    "min_bytes",
    "duration_s",
    "memory_bytes",
]

Names = str | Sequence[str] | None


def results(
    store: Store,
    *,
    kernel: Names = None,
    dtype: Names = None,
    gpu: Names = None,
    experiment: Names = None,
    workload: Names = None,
    status: Names = None,
    since: str | None = None,
    sweep: Names = None,
    ids: Sequence[int] | None = None,
    gpus: Mapping[str, Gpu] | None = None,
    commands: bool = False,
    excluded: bool = False,
    only: Sequence[ColumnElement[bool]] = (),
    more: Mapping[str, ColumnElement[Any]] | None = None,
) -> pd.DataFrame:
    """Every record that matches, as COLUMNS, in the order of arrival; empty where none does.

    Each filter takes a value or several; ``kernel`` takes globs too. ``since`` is an ISO date or
    time, or an age such as 7d; ``ids`` are of the table of results, sorted. ``gpus`` are the
    hardware facts that ``peak_share`` needs: it is NaN for hardware they don't describe.
    ``commands`` adds a last column, the command that measures the row again. Results that
    `attnbench store exclude` marked are ignored, unless ``excluded``: then a last column of that
    name says why, None for the others. ``only`` are further conditions on columns of the result
    table, ``more`` further columns of it or of a dimension, put last.

    What isn't known is NaN or None: the device of a job that never reached one, a speed of a record
    that isn't ok, an interval of fewer than 6 samples.

    Raises:
        ConfigError: ``since`` or ``status`` can't be read.
        StoreError: the database can't be.
    """
    tables = schema
    with store.reading() as connection:
        query = _query().add_columns(*(c.label(f"more_{name}") for name, c in (more or {}).items()))
        query = query.where(*only)
        if not excluded:
            query = query.where(_EXCLUDED.is_(None))
        for column, names in (
            (tables.problem.c.dtype, dtype),
            (tables.job.c.gpu, gpu),
            (tables.result.c.experiment, experiment),
            (tables.result.c.workload, workload),
            (tables.result.c.status, _statuses(status)),
            (tables.sweep.c.key, sweep),
        ):
            if names is not None:
                query = query.where(column.in_(names_of(names)))
        if kernel is not None:
            query = query.where(tables.kernel.c.name.in_(_kernels(connection, names_of(kernel))))
        if since is not None:
            moment = parse_since(since)
            # A record that never started (a skip, a lost job) is as old as its sweep.
            query = query.where(
                or_(
                    tables.result.c.started_at >= moment,
                    and_(tables.result.c.started_at == "", tables.sweep.c.started_at >= moment),
                )
            )
        frame = _fetched(connection, query, ids)
        problems = _problems(connection, frame)
        again = reproduce(connection, frame, problems) if commands else None
    tidy = _tidy(frame, problems, gpus)
    if again is not None:
        tidy = tidy.assign(command=again)
    for name in more or {}:
        tidy[name] = frame[f"more_{name}"]
    return tidy.assign(excluded=frame["excluded"].astype(object)) if excluded else tidy


def _fetched(connection: Connection, query: Select[Any], ids: Sequence[int] | None) -> pd.DataFrame:
    """The query's rows, or of these ids, so many at a time as a statement may name."""
    pages = [query]
    if ids is not None:
        starts = range(0, len(ids), LOOKUP) if ids else [0]
        pages = [query.where(schema.result.c.id.in_(ids[s : s + LOOKUP])) for s in starts]
    found = [connection.execute(page) for page in pages]
    # Plain tuples: pandas takes a row's column named dtype for the dtype of the row.
    rows = [tuple(row) for result in found for row in result.all()]
    return pd.DataFrame(rows, columns=list(found[0].keys()))


_EXCLUDED = schema.exclusion.c.reason


def _query() -> Select[Any]:
    r, p = schema.result.c, schema.problem.c
    joined = (
        schema.result.join(schema.sweep)
        .join(schema.job)
        .join(schema.kernel, schema.job.c.kernel_id == schema.kernel.c.id)
        .join(schema.problem, schema.job.c.problem_id == schema.problem.c.id)
        .outerjoin(schema.series, r.series_id == schema.series.c.id)
        .outerjoin(schema.device, r.device_id == schema.device.c.id)
        .outerjoin(schema.hardware, schema.device.c.hardware_id == schema.hardware.c.id)
        .outerjoin(schema.environment, r.environment_id == schema.environment.c.id)
        .outerjoin(schema.revision, r.revision_id == schema.revision.c.id)
        .outerjoin(schema.exclusion, r.id == schema.exclusion.c.result_id)
    )
    columns = [
        schema.sweep.c.key.label("sweep_id"),
        *(r[name] for name in ("experiment", "workload")),
        schema.kernel.c.operator,
        schema.kernel.c.name.label("kernel"),
        schema.kernel.c.options.label("kernel_options"),
        schema.job.c.kernel_id,
        r.kernel_file_id,
        r.timing_id,
        p.id.label("problem_id"),
        p.key.label("problem_key"),
        *(
            p[name]
            for name in [
                "batch",
                "heads_q",
                "heads_kv",
                "seq_q",
                "seq_k",
                "head_dim_qk",
                "head_dim_v",
            ]
        ),
        *(p[name] for name in ["dtype", "kv_dtype", "direction"]),
        *(schema.job.c[name] for name in ("mode", "gpu")),
        schema.hardware.c.model.label("device"),
        schema.hardware.c.kind.label("device_kind"),
        schema.hardware.c.memory_bytes,
        schema.device.c.uuid.label("device_uuid"),
        schema.device.c.host,
        *(r[name] for name in ["launch", "attempt", "status", "reason"]),
        r.sample_count.label("samples"),
        r.median_ms.label("latency_ms"),
        r.low_ms.label("latency_low_ms"),
        r.high_ms.label("latency_high_ms"),
        *(r[name] for name in ["peak_bytes", "setup_ms", "first_call_ms", "max_error"]),
        *(
            r[name]
            for name in ["baseline_max_error", "rmse_ratio", "cosine", "stop_reason", "flags"]
        ),
        r.conditions,
        *(r[name] for name in ["flops", "min_bytes", "started_at", "duration_s"]),
        *(schema.environment.c[name] for name in ["torch", "cuda", "driver", "python"]),
        *(schema.environment.c[name] for name in ["harness", "harness_commit"]),
        *(schema.revision.c[name] for name in ["source_hash", "library", "library_version"]),
        schema.job.c.key.label("job_key"),
        schema.series.c.key.label("series_key"),
        _EXCLUDED.label("excluded"),
    ]
    return select(*columns).select_from(joined).order_by(r.id)


def names_of(names: str | Sequence[str]) -> list[str]:
    """A filter's value, or its several values."""
    return [names] if isinstance(names, str) else [str(name) for name in names]


def _statuses(status: Names) -> Names:
    for name in names_of(status or ()):
        if name not in set(Status):
            raise ConfigError(f"status={name!r} is none. {did_you_mean(name, map(str, Status))}")
    return status


def kernel_names(store: Store) -> list[str]:
    """Names of all kernels that the store has ever heard of, sorted."""
    with store.reading() as connection:
        return sorted(connection.scalars(select(schema.kernel.c.name).distinct()))


def _kernels(connection: Connection, patterns: list[str]) -> list[str]:
    """Names of stored kernels that match; resolved here, since engines differ in GLOB and LIKE."""
    names = connection.scalars(select(schema.kernel.c.name).distinct())
    return [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns)]


def _problems(connection: Connection, frame: pd.DataFrame) -> dict[int, Problem]:
    """The problems of the frame."""
    found = rows_by_id(connection, schema.problem, (int(i) for i in frame["problem_id"].unique()))
    return {id_: problem_of(row) for id_, row in found.items()}


def _tidy(
    frame: pd.DataFrame, problems: Mapping[int, Problem], gpus: Mapping[str, Gpu] | None
) -> pd.DataFrame:
    for name in _FLOATS:
        frame[name] = pd.to_numeric(frame[name]).astype("float64")
    facts = {id_: (p.summary(), p.mask, _kv_cache_mb(p)) for id_, p in problems.items()}
    for position, name in enumerate(("problem", "mask", "kv_cache_mb")):
        frame[name] = [facts[i][position] for i in frame["problem_id"]]
    frame["kv_cache_mb"] = frame["kv_cache_mb"].astype("float64")
    for name, column in columns_of(list(frame["conditions"])).items():
        frame[name] = column
    frame["kernel_options"] = frame["kernel_options"].replace("{}", "")
    flags = {text: ", ".join(json.loads(text)) for text in frame["flags"].unique()}
    frame["flags"] = frame["flags"].map(flags)
    frame["peak_memory_mb"] = frame["peak_bytes"] / 1e6
    for name in ("tflops", "bandwidth_gb_s", "tflops_per_w", "error_over_baseline"):
        frame[name] = METRICS[name].formula(frame)
    frame["peak_share"] = frame["tflops"] / _peaks(frame, gpus)
    return frame[list(COLUMNS)]


def _kv_cache_mb(problem: Problem) -> float:
    """What the problem's keys and values take as a cache, MB; NaN for an operator not known here.

    By the formulas of today, as for every metric: they depend on the problem alone, so all of
    history has the figure.
    """
    if problem.operator not in operator_names():
        return float("nan")
    return cost_model(problem.operator).kv_cache_bytes(problem) / 1e6


def _peaks(frame: pd.DataFrame, gpus: Mapping[str, Gpu] | None) -> pd.Series:
    facts = list(
        zip(
            frame["gpu"],
            frame["device"].astype(object).where(frame["device"].notna(), None),
            frame["memory_bytes"],
            frame["dtype"],
            strict=True,
        )
    )
    peaks = {fact: peak_tflops(gpus, *fact) for fact in dict.fromkeys(facts)}
    return pd.Series([peaks[fact] for fact in facts], index=frame.index, dtype="float64")
