"""A GPU that one doesn't own: its times by roofline, and how wrong that was for those one has.

A kernel is taken to reach the same share of the roofline there as where it was measured, so its
time scales with the least time that peak and bandwidth allow (Williams et al., CACM 52(4), 2009).
How far that carries is measured: each measured GPU is predicted from the others as if it weren't
there, and what was missed then makes the band. It covers one more GPU like the ones measured; a
kernel that is written for a new architecture's instructions is better than that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.hardware.matrix import PROBLEM, Hardware, bounds_ms, roof_ms
from harness.errors import ConfigError, did_you_mean
from harness.model import Gpu

CELL = ["kernel", "kernel_options", *PROBLEM]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class LeftOut:
    """How a measured GPU would have been predicted from the others."""

    gpu: str
    """The GPU."""
    cells: int
    """Cells that another one has too."""
    ratio: float
    """Geometric mean of predicted over measured times: the part of the error all cells share."""
    typical: float
    """Root mean square of the logarithms, as a factor: 1.2 is 20 % off either way."""


@dataclass(frozen=True)
class Prediction:
    """What a GPU is expected to take."""

    gpu: str
    """Name of the GPU."""
    rows: pd.DataFrame
    """CELL, problem, dtype, ``latency_ms``, ``low_ms`` and ``high_ms`` (95 % band; NaN where one
    GPU alone was measured), ``of_roofline``, ``limit``, ``sources`` (the GPUs it is from)."""
    left_out: tuple[LeftOut, ...]
    """The error on each measured GPU; empty with fewer than two that share cells."""
    factor: float
    """Half-width of the band as a factor; NaN where no error is known."""


def predict(
    found: Hardware,
    gpus: Mapping[str, Gpu],
    target: str,
    sources: Sequence[str] | None = None,
) -> Prediction:
    """Predict each kernel's cells on ``target`` from the measured GPUs, or those of ``sources``.

    Raises:
        ConfigError: no such GPU, its peaks or bandwidth aren't known, or none that was measured
            has a known roofline.
    """
    if target not in gpus:
        raise ConfigError(f"--predict {target}: no such GPU. {did_you_mean(target, gpus)}")
    for name in sources or ():
        if name not in found.gpus:
            raise ConfigError(f"{name!r} wasn't measured. {did_you_mean(name, found.gpus)}")
    gpu = gpus[target]
    if gpu.bandwidth_gb_s is None or not gpu.peak_tflops:
        raise ConfigError(f"--predict {target}: conf/gpu has no peak or bandwidth of it")
    each = found.each[found.each["of_roofline"].notna()]
    if sources:
        each = each[each["gpu"].isin(sources)]
    others = each[each["gpu"] != target]
    if others.empty:
        raise ConfigError(
            f"--predict {target}: no other GPU with a known roofline was measured (CPUs have none)"
        )
    factor = band(_leave_one_out(others))  # what a target that was measured took is no help
    rows = _from(others, gpu)
    return Prediction(
        target,
        rows.assign(low_ms=rows["latency_ms"] / factor, high_ms=rows["latency_ms"] * factor),
        tuple(_leave_one_out(each)),
        factor,
    )


def _from(each: pd.DataFrame, gpu: Gpu) -> pd.DataFrame:
    """Cells on ``gpu``: the geometric mean of what each source says."""
    group = each.groupby(CELL, sort=False, dropna=False)
    share = np.exp(np.log(each["of_roofline"]).groupby([each[c] for c in CELL]).mean())
    out = each.drop_duplicates(CELL).set_index(CELL)
    peaks = pd.Series([gpu.peak(d) for d in out["dtype"]], index=out.index, dtype="float64")
    bandwidth = pd.Series(float(gpu.bandwidth_gb_s or math.nan), index=out.index)
    compute, memory = bounds_ms(out["flops"], out["min_bytes"], peaks, bandwidth)
    bound = roof_ms(compute, memory)
    out = out.assign(
        latency_ms=bound / share,
        of_roofline=share,
        limit=np.where(compute >= memory, "compute", "memory"),
        sources=group["gpu"].agg(lambda names: ", ".join(sorted(set(names)))),
    )
    columns = ["problem", "dtype", "latency_ms", "of_roofline", "limit", "sources"]
    return out[columns][bound.notna()].reset_index()


def _leave_one_out(each: pd.DataFrame) -> list[LeftOut]:
    logs = each.assign(log=np.log(each["of_roofline"].astype(float)))
    out = []
    for name, mine in logs.groupby("gpu"):
        rest = logs[logs["gpu"] != name].groupby(CELL)["log"].mean()
        # Time is bound over share, so predicted over measured time is own share over the others'.
        error = (mine.set_index(CELL)["log"] - rest).dropna()
        if len(error):
            typical = math.exp(math.sqrt(float((error**2).mean())))
            out.append(LeftOut(str(name), len(error), math.exp(float(error.mean())), typical))
    return out


def band(left_out: Sequence[LeftOut]) -> float:
    """A factor that holds 95 % of the errors of one more GPU; NaN with fewer than two.

    Cells of one GPU are wrong together, so each GPU counts once: Student's t, with as many degrees
    of freedom as GPUs less one.
    """
    if len(left_out) < 2:
        return math.nan
    from scipy import special

    rms = math.sqrt(sum(math.log(one.typical) ** 2 for one in left_out) / len(left_out))
    return math.exp(rms * float(special.stdtrit(len(left_out) - 1, (1 + CONFIDENCE) / 2)))
