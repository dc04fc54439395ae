"""Sweeps and records to store: complete ones, with every field away from its default."""

from __future__ import annotations

from typing import Any

from harness.model import (
    Accuracy,
    Device,
    Environment,
    Kernel,
    Memory,
    Problem,
    Record,
    Revision,
    Status,
    Sweep,
    Timing,
)

SWEEP = Sweep(
    id="20260102-030405-abcdef",
    name="quickstart",
    command="attnbench run experiment=quickstart",
    overrides=("experiment=quickstart",),
    started_at="2026-01-02T03:04:05.000000+00:00",
    host="box",
    harness="0.1.0",
    jobs=4,
    launches=3,
)
KERNEL = Kernel(
    "sdpa_flash",
    "attention",
    "attention/sdpa.py",
    options=(("backend", "flash"), ("stages", 2)),
    packages=("torch",),
    library="torch",
    extra="gpu",
    folder="mine",
)
DEVICE = Device("NVIDIA H200", "cuda", "GPU-1", "node1", 150 * 10**9, 60 * 2**20, 132, 9.0)
ENVIRONMENT = Environment(
    python="3.12.1", torch="2.13.0", driver="580.1", libraries=(("einops", "0.8"),), harness="0.1.0"
)
REVISION = Revision("ab" * 32, "torch", "2.13.0", "cd" * 20, "2026-01-01T00:00:00+00:00", True)


def problem(**changes: Any) -> Problem:
    facts: dict[str, Any] = dict.fromkeys(("heads_q", "heads_kv"), 8)
    facts |= dict.fromkeys(("seq_q", "seq_k"), 512) | {"head_dim_qk": 64, "head_dim_v": 64}
    return Problem(**(facts | {"dtype": "bf16"} | changes))


def record(seq: int = 512, **changes: Any) -> Record:
    """An ok record of SWEEP; ``seq`` tells jobs apart."""
    facts: dict[str, Any] = {
        "sweep_id": SWEEP.id,
        "kernel": KERNEL,
        "problem": problem(seq_q=seq, seq_k=seq),
        "gpu": "h200",
        "timing": Timing(budget_s=2.5),
        "status": Status.OK,
        "workload": "llama",
        "experiment": "quickstart",
        "device": DEVICE,
        "environment": ENVIRONMENT,
        "revision": REVISION,
        "samples_ms": (1.0, 1.1, 0.9, 1.05, 1.02, 0.98, 1.01),
        "calls_per_sample": 2,
        "stop_reason": "ci",
        "setup_ms": 3.5,
        "first_call_ms": 12.25,
        "warmup_calls": 7,
        "accuracy": Accuracy(1e-3, 2e-3, 0.99999, 1.5e-3, "max_error ≤ 3e-3", 0.5),
        "memory": Memory(123456789, "allocator"),
        "flops": 4 * 10**12,
        "min_bytes": 10**9,
        "cost_model": "attention/1",
        "flags": ("bimodal",),
        "conditions": (("clock_mhz", 1980.0), ("governor", "performance")),
        "started_at": "2026-01-02T03:05:00.000001+00:00",
        "duration_s": 1.75,
    }
    return Record(**(facts | changes))


def failure(seq: int = 512, status: Status = Status.ERROR, **changes: Any) -> Record:
    """A record of SWEEP that isn't ok and never reached a device."""
    gone: dict[str, Any] = {"samples_ms": (), "accuracy": None, "memory": None, "device": None}
    gone |= {"environment": None, "revision": None, "setup_ms": None, "first_call_ms": None}
    return record(seq, status=status, **(gone | {"reason": "it raised", "log": "…"} | changes))
