from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.model import Record, Sweep
from harness.store import Store, open_store
from tests.analysis.conftest import new_file
from tests.store.make import DEVICE, ENVIRONMENT, KERNEL, REVISION, SWEEP, failure, problem, record

__all__ = ["new_file"]

Fill = Callable[..., Sweep]
SIZES = (256, 512, 1024)


def day(number: int) -> str:
    return f"2026-02-{number:02}"


def launches_of(
    sweep: Sweep,
    *,
    slower: float = 1.0,
    kernel: str = "sdpa_flash",
    launches: int = 5,
    spread: float = 0.002,
    sizes: tuple[int, ...] = SIZES,
    board: str = "GPU-1",
    **changes: Any,
) -> list[Record]:
    """Records of one kernel over some sizes, ``slower`` times as slow as usual."""
    out = []
    facts: dict[str, Any] = {"problem": {}, **changes}
    of_problem = facts.pop("problem")
    device = replace(facts.pop("device", DEVICE), uuid=board)
    for size in sizes:
        for launch in range(launches):
            draw = random.Random(f"{sweep.id}/{kernel}/{size}/{launch}/{of_problem}")
            time = size / 256 * slower * math.exp(draw.gauss(0, spread))
            out.append(
                record(
                    size,
                    sweep_id=sweep.id,
                    kernel=replace(KERNEL, name=kernel),
                    problem=problem(seq_q=size, seq_k=size, **of_problem),
                    device=device,
                    launch=launch,
                    samples_ms=(time,) * 7,
                    started_at=f"{sweep.started_at[:10]}T05:{launch:02}:00.000000+00:00",
                    **facts,
                )
            )
    return out


@pytest.fixture
def store(new_file: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    path = tmp_path / "attnbench.db"
    path.write_bytes(new_file.read_bytes())
    with open_store(str(path)) as opened:
        yield opened


@pytest.fixture
def fill(store: Store) -> Fill:
    """``fill(3, slower=1.05, …)`` adds a sweep of 3 February; see ``launches_of``."""

    def add(number: int, *, name: str = "nightly", records: Any = None, **facts: Any) -> Sweep:
        sweep = replace(
            SWEEP,
            id=f"202602{number:02}-000000-{number:06x}",
            name=name,
            started_at=f"{day(number)}T00:00:00.000000+00:00",
        )
        store.start_sweep(sweep)
        store.append_many(launches_of(sweep, **facts) if records is None else records(sweep))
        store.finish_sweep(sweep.id, "done")
        return sweep

    return add


NEW_TORCH = replace(ENVIRONMENT, torch="2.14.0")
EDITED = replace(REVISION, source_hash="ef" * 32, commit="12" * 20)
broken = failure
