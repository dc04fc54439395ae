"""A store with a past: a sweep a week on two GPUs, with a step, a fix, an exclusion, a reset."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from harness.model import Accuracy, Device, Memory, Record, Sweep
from harness.store import open_store
from harness.store.annotations import exclude, reset_baseline
from harness.store.selection import Selection
from tests.store.make import DEVICE, ENVIRONMENT, KERNEL, REVISION, SWEEP, problem, record

HOSTILE = """</script><img src=x onerror="window.owned=1"><b>'&amp;"""
KERNELS = {"eager": 6.0, "sdpa_math": 7.0, "sdpa_flash": 1.6, HOSTILE: 2.4}
"""Time of each at 1,024 tokens, ms."""
LENGTHS = (256, 1024, 4096)
BOARDS = (replace(DEVICE, model="NVIDIA H100 80GB HBM3", uuid="GPU-1"),
          replace(DEVICE, uuid="GPU-2", memory_bytes=150_000_000_000))  # fmt: skip
STEP, FIX, RESET, SPOILT = 7, 11, 3, 5
"""Sweeps at which sdpa_flash gets slower with a new torch, and fast again; …"""


def sweep_of(week: int) -> Sweep:
    day = datetime(2026, 1, 5, 3, 0) + timedelta(weeks=week)
    return replace(
        SWEEP,
        id=f"{day:%Y%m%d}-030000-{week:06x}",
        name="nightly",
        started_at=f"{day.isoformat()}.000000+00:00",
    )


def records(week: int, launches: int, kernels: Sequence[str]) -> list[Record]:
    draw, sweep, out = random.Random(week), sweep_of(week), []
    for launch in range(launches):
        for kernel in kernels:
            for length in LENGTHS:
                for board in BOARDS:
                    out.append(_one(draw, sweep, week, launch, kernel, length, board))
    return out


def _one(
    draw: random.Random, sweep: Sweep, week: int, launch: int, kernel: str, length: int,
    board: Device,
) -> Record:  # fmt: skip
    h100 = board is BOARDS[0]
    size = problem(seq_q=length, seq_k=length, heads_q=32, heads_kv=8, head_dim_qk=128,
                   head_dim_v=128, causal=True)  # fmt: skip
    time = 0.02 + KERNELS[kernel] * (length / 1024) ** 2 * (1.15 if h100 else 1.0)
    slow = kernel == "sdpa_flash" and STEP <= week < FIX
    time *= draw.lognormvariate(0, 0.004) * (1.08 if slow else 1.0)
    torch = "2.14.1" if week >= FIX else "2.14.0" if week >= STEP else "2.13.0"
    flops = 2 * 32 * length * length * 128
    return record(
        kernel=replace(KERNEL, name=kernel, options=()),
        problem=size, device=board, gpu="h100" if h100 else "h200", sweep_id=sweep.id,
        experiment="nightly", workload="llama3_8b", launch=launch, flags=(),
        environment=replace(ENVIRONMENT, torch=torch),
        revision=replace(REVISION, commit=f"{week:02x}" * 20, dirty=False,
                         commit_time=sweep.started_at),
        samples_ms=tuple(time * draw.lognormvariate(0, 0.01) for _ in range(20)),
        accuracy=Accuracy(1e-3 * draw.uniform(0.9, 1.1), 1e-3, 0.9999, 1e-3),
        memory=Memory(length * length * 64 if "flash" not in kernel else length * 20_000),
        flops=flops, min_bytes=4 * 32 * length * 128 * 2,
        started_at=f"{sweep.started_at[:11]}0{3 + launch}:{length % 60:02}:00.000000+00:00",
    )  # fmt: skip


def fill_years(
    path: Path, weeks: int = 16, launches: int = 2, kernels: Sequence[str] = tuple(KERNELS)
) -> None:
    """Fill a new store at ``path``."""
    with open_store(str(path), create=True) as store:
        for week in range(weeks):
            store.start_sweep(sweep_of(week))
            store.append_many(records(week, launches, kernels))
            store.finish_sweep(sweep_of(week).id, "done")
        if weeks > SPOILT:
            spoilt = Selection(sweep=sweep_of(SPOILT).id, kernel="eager")
            exclude(store, spoilt, "the node was shared")
            # (the reset keeps its history from this week on)
            moment = sweep_of(RESET).started_at
            reset_baseline(store, Selection(kernel="sdpa_math"), "new cooling", moment)
