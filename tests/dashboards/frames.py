"""Tidy frames of records as ``harness.analysis.query.results`` gives them, without a store.

The numbers follow a small cost model, so charts of them look like charts of a real sweep: a fixed
overhead a call, then time quadratic in length; dense kernels hold the score matrix, others don't.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from dashboards.source import Source
from harness.analysis.query import COLUMNS
from harness.analysis.read_off import FIGURES, TEXTS
from harness.analysis.view import View

SHAPES = {"llama3_8b": (32, 8, 128), "gpt2": (12, 12, 64)}
LENGTHS = (128, 256, 512, 1024, 2048)
SPEED = {  # share of the device's rate, fixed overhead in ms, holds the score matrix
    "numpy": (0.02, 0.2, True),
    "eager": (0.12, 0.06, True),
    "eager_lowp": (0.15, 0.06, True),
    "sdpa_math": (0.10, 0.05, True),
    "sdpa_flash": (0.45, 0.02, False),
    "sdpa_efficient": (0.35, 0.03, False),
}
KERNELS = tuple(SPEED)


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _outcome(kernel: str, dtype: str, heads: int, length: int) -> tuple[str, str]:
    if kernel == "numpy" and dtype != "fp32":
        return "skipped", f"dtype {dtype} not among fp32"
    if kernel == "sdpa_efficient":
        return "skipped", "runs on cuda, not on cpu"
    if kernel == "eager" and heads == 32 and length >= 2048 and dtype == "fp32":
        return "out_of_memory", "CPU allocator: 2.1 GB asked for, 1.6 GB free"
    if kernel == "eager_lowp" and dtype == "bf16" and length >= 1024:
        return "incorrect", "max_error 4.1e-02 above the bound 1.6e-02"
    if kernel == "sdpa_math" and heads == 12 and length == 2048 and dtype == "bf16":
        return "timeout", "took longer than 300 s and was killed"
    return "ok", ""


def record(**over: Any) -> dict[str, Any]:
    """One ok record; every field can be given."""
    heads_q, heads_kv, dim = SHAPES["llama3_8b"]
    row: dict[str, Any] = {
        "sweep_id": "sweep-1",
        "experiment": "quickstart",
        "workload": "llama3_8b",
        "operator": "attention",
        "kernel": "eager",
        "kernel_options": "",
        "batch": 1,
        "heads_q": heads_q,
        "heads_kv": heads_kv,
        "seq_q": 1024,
        "seq_k": 1024,
        "head_dim_qk": dim,
        "head_dim_v": dim,
        "dtype": "bf16",
        "kv_dtype": "",
        "mask": "causal",
        "direction": "forward",
        "mode": "cold",
        "gpu": "cpu",
        "device": "AMD EPYC 9V74, 2 threads",
        "device_kind": "cpu",
        "device_uuid": "machine-0",
        "host": "bench-1",
        "launch": 0,
        "attempt": 0,
        "status": "ok",
        "reason": "",
        "samples": 24,
        "latency_ms": 1.0,
        "latency_low_ms": 0.98,
        "latency_high_ms": 1.03,
        "tflops": 0.5,
        "bandwidth_gb_s": 10.0,
        "peak_share": math.nan,
        "peak_memory_mb": 16.0,
        "setup_ms": 0.4,
        "first_call_ms": 3.1,
        "max_error": 2e-3,
        "baseline_max_error": 3e-3,
        "rmse_ratio": 2e-3,
        "cosine": 0.99999,
        "stop_reason": "relative_ci",
        "flags": "",
        "flops": 4_000_000_000,
        "min_bytes": 20_000_000,
        "torch": "2.13.0+cpu",
        "cuda": "",
        "driver": "",
        "python": "3.11.7",
        "harness": "0.1.0",
        "harness_commit": "4882f3f",
        "source_hash": "ab" * 32,
        "library": "torch",
        "library_version": "2.13.0",
        "started_at": "2026-11-03T10:00:00.000000+00:00",
        "duration_s": 1.2,
    }
    row.update(over)
    key = _key(*(row[c] for c in ("operator", "batch", "heads_q", "heads_kv", "seq_q", "seq_k")))
    row.setdefault("problem_key", _key(key, row["dtype"], row["mask"], row["direction"]))
    row.setdefault(
        "problem",
        f"B{row['batch']} H{row['heads_q']}/{row['heads_kv']} S{row['seq_q']} "
        f"D{row['head_dim_qk']} {row['dtype']} {row['mask']} fwd",
    )
    identity = (row["kernel"], str(row["kernel_options"]), row["problem_key"], row["mode"])
    row.setdefault("job_key", _key(*identity, row["gpu"]))
    row.setdefault("series_key", _key(*identity, row["device"]))
    if row["status"] != "ok":
        for name in [
            "latency_ms",
            "latency_low_ms",
            "latency_high_ms",
            "tflops",
            "bandwidth_gb_s",
            "peak_share",
            "peak_memory_mb",
            "setup_ms",
            "first_call_ms",
            "max_error",
            "baseline_max_error",
            "rmse_ratio",
            "cosine",
        ]:
            row[name] = over.get(name, math.nan)
        row["samples"] = 0
    return dict.fromkeys(COLUMNS, math.nan) | dict.fromkeys(TEXTS) | row  # what isn't known


def frame_of(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """A frame with every column, also where there are no rows."""
    rows = list(rows)
    columns = list(dict.fromkeys([*record(), *COLUMNS]))
    frame = pd.DataFrame(rows, columns=columns)
    derived = ("kv_cache_mb", "tflops_per_w", "error_over_baseline", "max_error")
    return frame.astype(dict.fromkeys([*FIGURES, *derived], float))


def sweep(
    kernels: Sequence[str] = KERNELS,
    workloads: Sequence[str] = ("llama3_8b", "gpt2"),
    dtypes: Sequence[str] = ("fp32", "bf16"),
    lengths: Sequence[int] = LENGTHS,
    launches: int = 2,
    rate_tflops: float = 1.2,
    outcomes: bool = True,
    **fixed: Any,
) -> pd.DataFrame:
    """A sweep of every combination. ``outcomes`` plants skips, wrong results and failures."""
    rng = random.Random(7)
    rows = []
    for launch in range(launches):
        for workload in workloads:
            for dtype in dtypes:
                for length in lengths:
                    for kernel in kernels:
                        rows.append(
                            _cell(rng, workload, dtype, length, kernel, rate_tflops, outcomes)
                            | {"launch": launch}
                            | fixed
                        )
    return frame_of(record(**row) for row in rows)


def _cell(
    rng: random.Random,
    workload: str,
    dtype: str,
    length: int,
    kernel: str,
    rate_tflops: float,
    outcomes: bool,
) -> dict[str, Any]:
    heads_q, heads_kv, dim = SHAPES.get(workload, (16, 16, 64))
    share, overhead_ms, dense = SPEED.get(kernel, (0.2, 0.05, False))
    rate = rate_tflops * (1.0 if dtype == "fp32" else 1.6)
    flops = 4 * heads_q * length * length * dim // 2
    latency = overhead_ms + flops / (rate * 1e9 * share) * rng.uniform(0.96, 1.05)
    spread = rng.uniform(0.01, 0.05)
    size = 4 if dtype == "fp32" else 2
    memory = heads_q * length * dim * size + (heads_q * length * length * 4 if dense else 0)
    rounding = 3e-7 if dtype == "fp32" else 4e-3
    status, reason = _outcome(kernel, dtype, heads_q, length) if outcomes else ("ok", "")
    row: dict[str, Any] = {
        "workload": workload,
        "kernel": kernel,
        "heads_q": heads_q,
        "heads_kv": heads_kv,
        "head_dim_qk": dim,
        "head_dim_v": dim,
        "seq_q": length,
        "seq_k": length,
        "dtype": dtype,
        "status": status,
        "reason": reason,
        "flops": flops,
    }
    if status == "skipped":
        row |= {"device": None, "device_kind": None, "device_uuid": None, "host": None}
    if status == "incorrect":
        row |= {"max_error": 0.041, "baseline_max_error": rounding}
    if status == "ok":
        row |= {
            "latency_ms": latency,
            "latency_low_ms": latency * (1 - spread),
            "latency_high_ms": latency * (1 + spread),
            "tflops": flops / latency / 1e9,
            "bandwidth_gb_s": 4 * heads_q * length * dim * size / latency / 1e6,
            "peak_memory_mb": memory / 1e6,
            "max_error": rounding * rng.uniform(0.5, 1.4),
            "baseline_max_error": rounding * rng.uniform(0.9, 1.1),
        }
    return row


def hopper(**over: Any) -> pd.DataFrame:
    """The same sweep on a GPU whose peak is known."""
    peaks = {"fp32": 67.0, "bf16": 989.0}
    frame = sweep(
        rate_tflops=600,
        gpu="h200",
        device="NVIDIA H200",
        device_kind="cuda",
        device_uuid="GPU-1",
        host="gpu-1",
        torch="2.13.0+cu130",
        cuda="13.0",
        driver="580.65",
        **over,
    )
    frame["peak_share"] = frame["tflops"] / frame["dtype"].map(peaks)
    return frame


class FrameSource(Source):
    """A source of records that are in no store."""

    def __init__(self, frame: pd.DataFrame, *, commands: Sequence[str] = (), **view: Any) -> None:
        super().__init__(None, View(**view))
        self.records = frame
        self.commands = list(commands)
        self.origin = "results/attnbench.db"
        self.kernels = sorted(set(frame["kernel"]))
