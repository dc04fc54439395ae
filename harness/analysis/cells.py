"""From records to cells: one row for what one sweep says of a job on a board; and the latest ones.

A cell's latency is the median of its launches' medians, because the spread between processes, not
the one within, decides comparisons. From two launches on, its 95 % interval is Student's t on the
logarithms of the launch medians; with one launch it is the interval within that launch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.metrics import METRICS
from harness.model import Status

AUTOTUNE_DIFFERS = "autotune_differs"
"""Flag of a cell whose launches ran different autotuned configs: they are different kernels."""

SEVERITY = tuple(
    map(
        str,
        (
            Status.OK,
            Status.SKIPPED,
            Status.LOST,
            Status.OUT_OF_MEMORY,
            Status.TIMEOUT,
            Status.ERROR,
            Status.CRASHED,
            Status.INCORRECT,
            Status.INVALID,
        ),
    )
)
"""Statuses from good to bad: a cell's status is the worst of its launches'."""

_AGGREGATES = {
    "samples": "sum",
    "duration_s": "sum",
    "peak_memory_mb": "max",
    "device_peak_memory_mb": "max",
    "energy_j": "median",
    "power_w": "median",
    "clock_mhz": "median",
    "temperature_c": "max",
    "max_error": "max",
    "baseline_max_error": "max",
    "rmse_ratio": "max",
    "cosine": "min",
    "setup_ms": "median",
    "first_call_ms": "median",
}

_SPEEDS = [
    "latency_ms",
    "latency_low_ms",
    "latency_high_ms",
    "tflops",
    "bandwidth_gb_s",
    "peak_share",
    "energy_j",
    "tflops_per_w",
]


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a sweep, job and board, from the frame of ``results``; the same columns but for
    ``launches`` (a count) in place of ``launch`` and ``attempt``.

    Of a launch's attempts the one that succeeded counts, else the last. The status is ok only if
    every launch is; else the worst one's, with its reason, and the cell carries no speed. A launch
    that never reached a board counts to the job's first one. What isn't aggregated (versions,
    start) is that of the first good launch.
    """
    kept = [name for name in frame.columns if name not in ("launch", "attempt")]
    at = kept.index("status") if "status" in kept else 0
    columns = [*kept[:at], "launches", *kept[at:]]
    if frame.empty:
        return frame.assign(launches=pd.Series(dtype="int64"))[columns]
    final = final_attempts(frame.assign(_board=_boards(frame)))
    # Cells as numbers, in the order of arrival: three texts would be compared in every step.
    final["_cell"] = final.groupby(["sweep_id", "job_key", "_board"], sort=False).ngroup()
    group = final.groupby("_cell", sort=False)
    worst = final.loc[group["_severity"].idxmax()].set_index("_cell")
    out = _representatives(final).reindex(group.size().index)
    out = out.assign(
        launches=group.size(),
        status=worst["status"],
        reason=worst["reason"],
        stop_reason=_unions(final["stop_reason"], final["_cell"]),
        flags=_flags(final, group),
        throttle_reasons=_unions_or_none(final["throttle_reasons"], final["_cell"]),
        compile_cache=_unions_or_none(final["compile_cache"], final["_cell"]),
        **{name: group[name].agg(how) for name, how in _AGGREGATES.items()},
        **_latency(final, group),
    )
    for name in ("tflops_per_w", "error_over_baseline"):
        out[name] = METRICS[name].formula(out)
    if "excluded" in kept:  # asked for: a cell says so if any of its launches is
        out["excluded"] = group["excluded"].agg(_reasons)
    out.loc[out["status"] != Status.OK, _SPEEDS] = np.nan
    return out[columns].reset_index(drop=True)


def _boards(frame: pd.DataFrame) -> pd.Series:
    """Which board each record is of; without one, that of the job's first record that has one."""
    none = frame["device_uuid"].isna()
    text = frame[["device_uuid", "host"]].astype(object).where(~none, "")
    board = (text["device_uuid"] + "\n" + text["host"]).where(~none)
    first = board.groupby([frame["sweep_id"], frame["job_key"]]).transform("first")
    return board.where(~none, first).fillna("")


def final_attempts(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a launch: the attempt that succeeded, else the last."""
    severity = frame["status"].map({name: i for i, name in enumerate(SEVERITY)})
    ranked = frame.assign(_severity=severity, _ok=severity == 0)
    ranked = ranked.sort_values(["_ok", "attempt"], kind="stable")
    last = ~ranked.duplicated(["sweep_id", "job_key", "launch"], keep="last")
    return ranked[last].sort_index(kind="stable")  # back in the order of arrival


def _representatives(final: pd.DataFrame) -> pd.DataFrame:
    """By cell, the row that stands for it in what isn't aggregated: on a board, good, early.

    A whole row: each column's first known value would mix the facts of several launches.
    """
    ranked = final.assign(_nowhere=final["device_uuid"].isna())
    ranked = ranked.sort_values(["_nowhere", "_severity", "launch"], kind="stable")
    return ranked[~ranked["_cell"].duplicated()].set_index("_cell")


def _latency(final: pd.DataFrame, group: Any) -> dict[str, pd.Series]:
    """Latency and its interval, and what follows from it, by group."""
    from scipy import stats

    median = group["latency_ms"].median()
    logs = np.log(final["latency_ms"]).groupby(final["_cell"], sort=False)
    count, mean, sd = logs.count(), logs.mean(), logs.std(ddof=1)
    half = sd / np.sqrt(count) * stats.t.ppf(0.975, np.maximum(count - 1, 1))
    several = count >= 2
    low = np.exp(mean - half).where(several, group["latency_low_ms"].median())
    high = np.exp(mean + half).where(several, group["latency_high_ms"].median())
    out = {
        "latency_ms": median,
        # The interval is the geometric mean's: where the median lies outside, it is widened to it.
        "latency_low_ms": np.minimum(low, median).where(low.notna()),
        "latency_high_ms": np.maximum(high, median).where(high.notna()),
    }
    for name in ("tflops", "bandwidth_gb_s", "peak_share"):
        # Work is the same in every launch: rate × time is constant.
        work = (final[name] * final["latency_ms"]).groupby(final["_cell"], sort=False)
        out[name] = work.median() / median
    return out


def _flags(final: pd.DataFrame, group: Any) -> pd.Series:
    """The launches' flags, and whether their autotuning chose differently."""
    flags = _unions(final["flags"], final["_cell"])
    differ = group["autotune"].nunique() > 1  # None is no choice
    more = flags.where(flags == "", flags + ", ") + AUTOTUNE_DIFFERS
    return flags.where(~differ, more)


def _unions_or_none(texts: pd.Series, cell: pd.Series) -> pd.Series:
    """``_unions`` of the texts that are there, None where none is."""
    known = texts.astype(object).where(texts.notna(), "")
    found = _unions(known, cell)
    return pd.Series([text or None for text in found], index=found.index, dtype=object)


def _unions(texts: pd.Series, cell: pd.Series) -> pd.Series:
    """By cell, the distinct parts of its comma-separated texts, in order. Few cells have several
    texts, and only those are looked at one by one."""
    distinct = pd.DataFrame({"cell": cell, "text": texts}).drop_duplicates()
    several = distinct["cell"].duplicated(keep=False)
    out = distinct[~several].set_index("cell")["text"].map(lambda text: _union([text]))
    if several.any():
        rest = distinct[several].groupby("cell", sort=False)["text"].agg(_union)
        out = pd.concat([out, rest])
    return out


def _union(texts: Iterable[Any]) -> str:
    """The distinct parts of comma-separated texts, in order."""
    parts = dict.fromkeys(part for text in texts for part in str(text).split(", ") if part)
    return ", ".join(parts)


def _reasons(texts: pd.Series) -> str | None:
    return ", ".join(dict.fromkeys(texts.dropna())) or None


def latest(frame: pd.DataFrame) -> pd.DataFrame:
    """Of each series, the rows of its newest sweep (ids of sweeps sort by time).

    A cell that never reached a device has no series: it stays only where its job has nothing newer.
    """
    if frame.empty:
        return frame
    newest = frame.groupby("series_key")["sweep_id"].transform("max")
    of_job = frame.groupby("job_key")["sweep_id"].transform("max")
    lone = frame["series_key"].isna()
    return frame[(frame["sweep_id"] == newest.where(~lone, of_job))].reset_index(drop=True)
