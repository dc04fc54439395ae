"""From the cells of a sweep to what charts draw: names, panels and pairs with a baseline.

``prepare`` adds to the columns of ``harness.analysis.query.cells``:

    label      the kernel's name, with its options where one kernel was measured with several
    length     tokens on the x axis: the longer of queries and keys
    machine    the device's model, also for what was skipped before it reached a device
    panel      text of everything that varies but kernel and length: one small chart each
    outcome    ok, skipped or failed
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from dashboards.formats import is_missing, options

REQUIRED = [
    "workload",
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
    "status",
    "reason",
    "latency_ms",
    "latency_low_ms",
    "latency_high_ms",
    "tflops",
    "bandwidth_gb_s",
    "peak_share",
    "peak_memory_mb",
    "max_error",
    "baseline_max_error",
    "energy_j",
    "flops",
    "min_bytes",
    "series_key",
    "job_key",
    "href",
    "launches",
    "flags",
    "device_uuid",
    "sweep_id",
    "samples",
    "started_at",
]
"""Columns a chart may ask for; those a frame lacks are filled with None."""

_DTYPE_ORDER = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "int8")
_PAIR = ["problem_key", "machine", "mode"]


def prepare(cells: pd.DataFrame) -> pd.DataFrame:
    """Add the columns above; where a cell was measured by several sweeps, keep the latest.

    Idempotent, and an empty frame stays one.
    """
    if "panel" in cells.columns:
        return cells
    frame = cells.copy()
    for name in REQUIRED:
        if name not in frame:
            frame[name] = None
    frame["label"] = _labels(frame)
    frame["length"] = frame[["seq_q", "seq_k"]].max(axis=1)
    frame["machine"] = _machines(frame)
    frame["outcome"] = frame["status"].map(_outcome)
    frame = frame.sort_values("sweep_id", kind="stable", na_position="first")  # ids sort by time
    frame = frame.drop_duplicates(["label", *_PAIR], keep="last")
    frame["panel"] = _panels(frame)
    return _in_order(frame).reset_index(drop=True)


def _outcome(status: Any) -> str:
    return str(status) if status in ("ok", "skipped") else "failed"


def _text(series: pd.Series) -> pd.Series:
    return series.astype(object).where(series.notna(), "").astype(str)


def _labels(frame: pd.DataFrame) -> pd.Series:
    shown = frame["kernel_options"].map(options)
    several = shown.groupby(frame["kernel"]).transform("nunique") > 1
    named = frame["kernel"].astype(str) + " (" + shown + ")"
    return named.where(several & (shown != ""), frame["kernel"].astype(str))


def _machines(frame: pd.DataFrame) -> pd.Series:
    """Device models, and boards where a model has several: boards differ, so each is compared with
    itself. A skip, which reached none, goes where (the last of) its GPU's other cells ran."""
    rows = list(zip(*(_text(frame[c]) for c in ("device", "device_uuid", "gpu")), strict=True))
    boards: dict[str, set[str]] = {}
    for device, board, _ in rows:
        boards.setdefault(device, set()).update({board} - {""})
    named = [
        f"{device} · board {board[-8:]}" if board and len(boards[device]) > 1 else device
        for device, board, _ in rows
    ]
    home = {gpu: name for name, (_, _, gpu) in sorted(zip(named, rows, strict=True)) if name}
    out = [name or home.get(gpu, gpu) for name, (_, _, gpu) in zip(named, rows, strict=True)]
    return pd.Series(out, index=frame.index, dtype=object)


def _panels(frame: pd.DataFrame) -> pd.Series:
    """Workload and dtype always; anything else only where it differs within the frame."""
    workload = _text(frame["workload"])
    shape = (
        _text(frame["heads_q"])
        + ("/" + _text(frame["heads_kv"])).where(frame["heads_q"] != frame["heads_kv"], "")
        + " heads × "
        + _text(frame["head_dim_qk"])
        + ("–" + _text(frame["head_dim_v"])).where(frame["head_dim_qk"] != frame["head_dim_v"], "")
    )
    ambiguous = (shape.groupby(workload).transform("nunique") > 1) | (workload == "")
    short = frame[["seq_q", "seq_k"]].min(axis=1)
    uneven = (_text(short) + " queries").where(short != 1, "1 query")
    uneven = uneven.where(frame["seq_q"] < frame["seq_k"], _text(short) + " keys")
    parts = [
        workload,
        shape.where(ambiguous, ""),
        _text(frame["dtype"]),
        ("KV " + _text(frame["kv_dtype"])).where(_text(frame["kv_dtype"]) != "", ""),
        uneven.where(frame["seq_q"] != frame["seq_k"], ""),
    ]
    for column, text in (
        ("mask", _text(frame["mask"])),
        ("direction", _text(frame["direction"]).str.replace("_", " + ")),
        ("batch", "batch " + _text(frame["batch"])),
        ("mode", _text(frame["mode"])),
        ("machine", frame["machine"]),
    ):
        if frame[column].nunique() > 1:
            parts.append(text)
    panel = pd.Series(
        [" · ".join(p for p in row if p) for row in zip(*parts, strict=True)],
        index=frame.index,
        dtype=object,
    )
    # Problems may differ in what no column says (a window, a scale): number those apart.
    place = frame["problem_key"].astype(str).groupby([panel, frame["length"]])
    variant = place.rank("dense").astype(int)
    several = variant.groupby(panel).transform("max") > 1
    return panel + (" · variant " + variant.astype(str)).where(several, "")


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """By panel (wider dtypes first), length, kernel."""
    dtype = frame["dtype"].map({d: i for i, d in enumerate(_DTYPE_ORDER)}).fillna(99)
    keyed = frame.assign(_machine=frame["machine"], _workload=_text(frame["workload"]), _d=dtype)
    ordered = keyed.sort_values(["_machine", "_workload", "_d", "panel", "length", "label"])
    return ordered.drop(columns=["_machine", "_workload", "_d"])


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings from column to value, in Python's own types."""
    # whole columns at once: to_dict("records") boxes cell by cell, ten times slower for strings
    columns = [frame[name].astype(object).tolist() for name in frame]
    names = frame.columns.tolist()
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def kernels(frame: pd.DataFrame) -> list[str]:
    """Every kernel of a prepared frame, sorted: the domain of its colours."""
    return sorted(frame["label"].unique())


def panels(frame: pd.DataFrame) -> list[str]:
    """Panels of a prepared frame in the order they are drawn."""
    return list(dict.fromkeys(frame["panel"]))


def baseline(frame: pd.DataFrame, name: str | None = None) -> str | None:
    """Label of the baseline: ``name``, as a label or as a kernel (its options with most ok cells).

    Without a name: ``eager`` where it was measured, else the kernel with most ok cells; None if
    none is ok. Raises ValueError for a name that is not here.
    """
    if name is not None and name in set(frame["label"]):
        return name
    ok = frame.loc[frame["status"] == "ok"]
    if name is not None:
        if name not in set(frame["kernel"]):
            raise ValueError(f"no kernel named {name!r} here: {', '.join(kernels(frame))}")
        ours = ok if name in set(ok["kernel"]) else frame
        return _most(ours.loc[ours["kernel"] == name, "label"])
    if ok.empty:
        return None
    return "eager" if (ok["label"] == "eager").any() else _most(ok["label"])


def _most(labels: pd.Series) -> str:
    counts = labels.value_counts()
    return str(min(counts[counts == counts.max()].index))


def fastest(frame: pd.DataFrame) -> list[tuple[dict[str, Any], list[str]]]:
    """The fastest cell of each panel and length, and the kernels it isn't told apart from: those
    whose interval begins below the end of its own."""
    problems: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for cell in records(frame[frame["status"] == "ok"]):
        problems.setdefault((cell["panel"], int(cell["length"])), []).append(cell)
    out = []
    for cells in problems.values():
        first, *others = sorted(cells, key=lambda cell: float(cell["latency_ms"]))
        end = first["latency_high_ms"]
        out.append((first, [str(o["label"]) for o in others if o["latency_low_ms"] <= end]))
    return out


def speedups(frame: pd.DataFrame, over: str) -> pd.DataFrame:
    """Every cell but the baseline's with ``speedup``, ``speedup_low``, ``speedup_high``, ``note``.

    Above 1 is faster than the baseline. The interval is that of a ratio of two independent
    estimates by MOVER on the log scale (Donner and Zou 2012): exact bounds go in, so an uneven
    interval stays uneven. ``note`` says why a speed-up is missing.
    """
    pair = frame[frame["label"] == over].set_index(_PAIR)
    out = frame[frame["label"] != over].copy()
    found = pair.reindex(pd.MultiIndex.from_frame(out[_PAIR]))
    rows = [_ratio(a, b) for a, b in zip(_estimates(found), _estimates(out), strict=True)]
    out[["speedup", "speedup_low", "speedup_high"]] = pd.DataFrame(
        rows, index=out.index, columns=["a", "b", "c"], dtype=float
    )
    out["note"] = [
        _note(over, status, reason, base)
        for status, reason, base in zip(out["status"], out["reason"], found["status"], strict=True)
    ]
    return out


def _estimates(frame: pd.DataFrame) -> list[tuple[float, float, float]]:
    columns = ["latency_ms", "latency_low_ms", "latency_high_ms"]
    return [tuple(r) for r in frame[columns].astype(float).itertuples(index=False)]


def _ratio(
    base: tuple[float, float, float], other: tuple[float, float, float]
) -> tuple[float, float, float]:
    """base / other with its interval; NaN where an ingredient is missing."""
    if not (base[0] > 0 and other[0] > 0):
        return math.nan, math.nan, math.nan
    centre = math.log(base[0] / other[0])
    if not all(x > 0 for x in (*base, *other)):
        return math.exp(centre), math.nan, math.nan
    (a, a_low, a_high), (b, b_low, b_high) = (
        tuple(math.log(x) for x in base),
        tuple(math.log(x) for x in other),
    )
    down = math.hypot(a - a_low, b_high - b)
    up = math.hypot(a_high - a, b - b_low)
    return math.exp(centre), math.exp(centre - down), math.exp(centre + up)


def _note(baseline: str, status: Any, reason: Any, base: Any) -> str:
    if status != "ok":
        return f"{str(status).replace('_', ' ')}: {reason}"
    if is_missing(base):
        return f"the baseline {baseline} was not measured here"
    return "" if base == "ok" else f"the baseline {baseline} is {str(base).replace('_', ' ')} here"
