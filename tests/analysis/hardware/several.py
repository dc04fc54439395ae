"""A store of sweeps on several GPUs whose share of the roofline is planted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.config.catalog import gpus
from harness.model import Device, Gpu, Record
from harness.operators import cost_model
from harness.store import Store
from tests.store.make import KERNEL, SWEEP, problem, record

GPUS = gpus()
NAMES = {
    "h100": ("NVIDIA H100 80GB HBM3", 79.6),
    "a100_80": ("NVIDIA A100-SXM4-80GB", 79.3),
    "l40s": ("NVIDIA L40S", 44.5),
    "h200": ("NVIDIA H200", 139.8),
}
SIZES = (512, 1024, 2048, 4096)


def device(gpu: str, board: str = "") -> Device:
    """A board of one of NAMES."""
    name, gib = NAMES[gpu]
    return Device(name, "cuda", board or f"GPU-{gpu}", f"host-{gpu}", int(gib * 2**30))


def bound_ms(gpu: Gpu, size: int) -> float:
    """The least time that the roofline allows."""
    what = problem(seq_q=size, seq_k=size)
    model = cost_model("attention")
    peak, bandwidth = gpu.peak("bf16"), gpu.bandwidth_gb_s
    assert peak is not None
    assert bandwidth is not None
    return max(model.flops(what) / peak / 1e9, model.min_bytes(what) / bandwidth / 1e6)


def records(
    shares: Mapping[tuple[str, str], float],
    *,
    boards: Mapping[str, Mapping[str, float]] | None = None,
    sizes: Sequence[int] = SIZES,
    launches: int = 3,
    first: int = 0,
    noise: float = 0.0,
    **changes: Any,
) -> list[Record]:
    """A sweep in which (GPU, kernel) reaches such a share of the roofline; ``boards`` says how much
    slower than that each board of a GPU is (default: one board, not slower)."""
    draw = np.random.default_rng(1)
    model = cost_model("attention")
    out = []
    for (gpu, kernel), share in shares.items():
        for board, slower in ((boards or {}).get(gpu) or {"": 1.0}).items():
            for size in sizes:
                what = problem(seq_q=size, seq_k=size)
                for launch in range(launches):
                    time = bound_ms(GPUS[gpu], size) / share * slower
                    time *= float(np.exp(draw.normal(0, noise)))
                    # Two boards don't share a launch: one job is measured once in each.
                    order = list((boards or {}).get(gpu) or [""])
                    number = first + launch + launches * order.index(board)
                    facts = {
                        "gpu": gpu,
                        "kernel": replace(KERNEL, name=kernel),
                        "device": device(gpu, board),
                        "launch": number,
                        "samples_ms": (time,) * 6,
                        "flops": model.flops(what),
                        "min_bytes": model.min_bytes(what),
                    }
                    out.append(record(size, **(facts | changes)))
    return out


def fill(store: Store, *parts: list[Record]) -> None:
    """Store a sweep of these records."""
    store.start_sweep(SWEEP)
    for part in parts:
        store.append_many(part)
    store.finish_sweep(SWEEP.id, "done")
