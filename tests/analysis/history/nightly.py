"""A store of nightly sweeps with planted moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from harness.model import Environment, Record, Revision, Sweep
from harness.store import Store
from tests.store.make import DEVICE, ENVIRONMENT, KERNEL, REVISION, SWEEP, problem, record

Changed = dict[str, Any]
"""What differs from a plain night: ``factor`` on the time, and fields of the record."""


def sweep_of(night: int) -> Sweep:
    """The sweep of one night."""
    day = date(2026, 1, 1) + timedelta(days=night)
    return replace(
        SWEEP, id=f"{day:%Y%m%d}-030000-{night:06x}", started_at=f"{day}T03:00:00.000000+00:00"
    )


def fill(
    store: Store,
    series: int,
    nights: Sequence[int],
    what: Callable[[int, int], Changed] = lambda number, night: {},
    *,
    launches: int = 1,
    noise: float = 0.005,
) -> list[str]:
    """Store these nights' sweeps of so many series; their keys, in order.

    ``what(series, night)`` says what is planted there.
    """
    keys = [str(of(number, 0, {}).series_key) for number in range(series)]
    for night in nights:
        store.start_sweep(sweep_of(night))
        draw = np.random.default_rng(night)
        records = []
        for number in range(series):
            for launch in range(launches):
                planted = dict(what(number, night))
                factor = planted.pop("factor", 1.0) * float(np.exp(draw.normal(0, noise)))
                records.append(of(number, night, planted, factor, launch))
        store.append_many(records)
        store.finish_sweep(sweep_of(night).id, "done")
    return keys


def of(number: int, night: int, changed: Changed, factor: float = 1.0, launch: int = 0) -> Record:
    """The record of a series on a night."""
    size = 128 * (1 + number // 2)
    time = (1.0 + number) * factor
    facts: Changed = {
        "sweep_id": sweep_of(night).id,
        "kernel": replace(KERNEL, name=f"kernel_{number % 2}", options=()),
        "problem": problem(seq_q=size, seq_k=size),
        "samples_ms": (time,) * 6,
        "launch": launch,
        "device": DEVICE,
        "environment": environment("2.12.0"),
        "revision": replace(REVISION, library="", library_version="", commit="", commit_time=""),
        "started_at": sweep_of(night).started_at.replace("03:00:00", f"03:{launch:02}:{number:02}"),
    }
    facts |= changed
    return record(size, **facts)


def environment(torch: str, **changes: Any) -> Environment:
    """Software with this torch."""
    return replace(ENVIRONMENT, torch=torch, **changes)


def revision(commit: int, source: str = "a") -> Revision:
    """A kernel at commit number so and so of its repository, made on that day of 2025."""
    day = date(2025, 1, 1) + timedelta(days=commit)
    return Revision(
        source * 64, commit=f"{commit:040x}", commit_time=f"{day}T00:00:00+00:00", dirty=False
    )
