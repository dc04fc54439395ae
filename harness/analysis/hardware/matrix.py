"""The matrix: a row a problem and GPU, with its best kernel and what that reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.hardware.boards import Board, board_spread
from harness.analysis.hardware.mixed import Mixed, mixed
from harness.analysis.peaks import find_gpu
from harness.model import Gpu
from harness.model.gpu import CPU

PROBLEM = ["problem_key", "mode"]
"""What must be equal for two GPUs to compare."""
COLUMNS = [
    *("problem_key", "problem", "operator", "workload", "dtype", "direction", "mode"),
    *("gpu", "kernel", "kernel_options", "latency_ms", "latency_low_ms", "latency_high_ms"),
    *("launches", "boards", "flops", "min_bytes", "bound_ms", "limit"),
    *("tflops", "bandwidth_gb_s", "of_peak", "of_bandwidth", "of_roofline"),
    *("tflops_per_board_w", "tflops_per_w", "pflop_per_money"),
]
"""Columns of ``Hardware.cells``."""


@dataclass(frozen=True)
class Hardware:
    """How some GPUs compare."""

    cells: pd.DataFrame
    """COLUMNS. ``gpu`` is the name in conf/gpu, else what the device calls itself; ``bound_ms`` the
    least time by roofline and ``limit`` what sets it (compute, memory); of several boards the
    latency is their median, and its interval reaches from the lowest bound to the highest. What
    needs an unknown fact of the hardware is NaN."""
    each: pd.DataFrame
    """The same for every kernel, not the best alone."""
    gpus: tuple[str, ...]
    """The GPUs, most problems first."""
    problems: int
    """Problems that at least one has."""
    shared: int
    """Problems that all of them have."""
    boards: tuple[Board, ...]
    """How boards of one model differ, where several were measured."""
    warnings: tuple[Mixed, ...]
    """Software and protocol that aren't the same on all GPUs."""


def hardware(frame: pd.DataFrame, gpus: Mapping[str, Gpu] | None = None) -> Hardware:
    """Compare the GPUs of ``read_hardware``'s frame; ``gpus`` are their facts by name.

    A GPU's cell is its fastest kernel among those of the frame: filter by one to compare that.
    """
    if frame.empty:
        empty = pd.DataFrame(columns=COLUMNS)
        return Hardware(empty, empty, (), 0, 0, (), ())
    facts = [
        find_gpu(gpus, row["gpu"], row["device"], row["memory_bytes"])
        for row in frame[["gpu", "device", "memory_bytes"]].to_dict("records")
    ]
    names = [_name(g, device) for g, device in zip(facts, frame["device"], strict=True)]
    frame = frame.assign(gpu=names)
    known = {n: g for n, g in zip(names, facts, strict=True) if g is not None and g.kind != CPU}
    each = _figures(_over_boards(frame), known)
    order = ["gpu", *PROBLEM]
    best = each.sort_values("latency_ms", kind="stable").drop_duplicates(order)
    best = best.sort_index().reset_index(drop=True)
    on = best.groupby(PROBLEM)["gpu"].nunique()
    ranked = best["gpu"].value_counts()
    ordered = sorted(ranked.index, key=lambda name: (-int(ranked[name]), name))
    used = frame.merge(best[["gpu", "kernel", "kernel_options", *PROBLEM]])
    return Hardware(
        best,
        each.reset_index(drop=True),
        tuple(ordered),
        len(on),
        int((on == len(ordered)).sum()),
        tuple(board_spread(frame)),
        tuple(mixed(used)),
    )


def _name(gpu: Gpu | None, device: str) -> str:
    """Processors all have the name cpu: they are told by their model."""
    return device if gpu is None or gpu.kind == CPU else gpu.name


def _over_boards(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a problem, GPU and kernel: the median of its boards."""
    key = ["gpu", "kernel", "kernel_options", *PROBLEM]
    group = frame.groupby(key, sort=False, dropna=False)
    first = frame.drop_duplicates(key).set_index(key)
    out = first.assign(
        latency_ms=group["latency_ms"].median(),
        latency_low_ms=group["latency_low_ms"].min(),
        latency_high_ms=group["latency_high_ms"].max(),
        energy_j=group["energy_j"].median(),
        launches=group["launches"].sum(),
        boards=group["device_uuid"].nunique(),
    )
    return out.reset_index()


def _figures(frame: pd.DataFrame, known: Mapping[str, Gpu]) -> pd.DataFrame:
    flops, bytes_ = frame["flops"].astype(float), frame["min_bytes"].astype(float)
    seconds = frame["latency_ms"] / 1e3
    found = [known.get(name) for name in frame["gpu"]]

    def fact(of: str) -> pd.Series:
        values = [getattr(g, of) if g else None for g in found]
        return pd.Series(values, index=frame.index, dtype="float64")

    peaks = [g.peak(d) if g else None for g, d in zip(found, frame["dtype"], strict=True)]
    peak = pd.Series(peaks, index=frame.index, dtype="float64")
    compute, memory = bounds_ms(flops, bytes_, peak, fact("bandwidth_gb_s"))
    bound = roof_ms(compute, memory)
    tflops, gb_s = flops / seconds / 1e12, bytes_ / seconds / 1e9
    limit = pd.Series(np.where(compute >= memory, "compute", "memory"), index=frame.index)
    return frame.assign(
        tflops=tflops,
        bandwidth_gb_s=gb_s,
        bound_ms=bound,
        limit=limit.where(bound.notna(), ""),
        of_peak=tflops / peak,
        of_bandwidth=gb_s / fact("bandwidth_gb_s"),
        of_roofline=bound / frame["latency_ms"],
        tflops_per_board_w=tflops / fact("power_w"),
        tflops_per_w=flops / frame["energy_j"].astype(float) / 1e12,
        pflop_per_money=tflops * 3600 / 1e3 / fact("price_per_hour"),
    )[COLUMNS]


def bounds_ms(
    flops: pd.Series, bytes_: pd.Series, peak_tflops: pd.Series, bandwidth_gb_s: pd.Series
) -> tuple[pd.Series, pd.Series]:
    """Least time by arithmetic and by memory, ms (roofline: Williams et al., CACM 52(4), 2009)."""
    return flops / peak_tflops / 1e9, bytes_ / bandwidth_gb_s / 1e6


def roof_ms(compute: pd.Series, memory: pd.Series) -> pd.Series:
    """The larger of both bounds; NaN where either is unknown."""
    return pd.concat([compute, memory], axis=1).max(axis=1, skipna=False)
