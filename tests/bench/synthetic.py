"""Synthetic but realistic stores: sweeps of 2,000 cells, 5 launches, 30 samples each, years long.

The first sweep goes in record by record; the others are copies of it made by SQL with other times
and latencies, which fills a store of a million results in a minute or two.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy import insert, literal, select

from harness.model import Record, Sweep
from harness.store import Store
from harness.store.engine import open_engine, writing
from harness.store.schema import result, sample, sweep
from harness.store.url import parse_url
from tests.store.make import DEVICE, KERNEL, problem, record

KERNELS, PROBLEMS, LAUNCHES, SAMPLES = 8, 250, 5, 30
A_SWEEP = KERNELS * PROBLEMS * LAUNCHES
"""Results of one sweep."""


def sweep_of(number: int) -> Sweep:
    """The sweep of one day."""
    day = date(2022, 1, 1) + timedelta(days=number)
    return Sweep(
        f"{day:%Y%m%d}-030405-{number:06x}",
        "nightly",
        "attnbench run experiment=nightly",
        started_at=f"{day}T03:04:05.000000+00:00",
        jobs=KERNELS * PROBLEMS,
        launches=LAUNCHES,
    )


def first_sweep() -> list[Record]:
    """The records of ``sweep_of(0)``, which share their nouns as those of a real sweep do."""
    draw = random.Random(1)
    kernels = [replace(KERNEL, name=f"kernel_{i}") for i in range(KERNELS)]
    problems = [problem(seq_q=64 * (i + 1), seq_k=64 * (i + 1)) for i in range(PROBLEMS)]
    boards = [replace(DEVICE, uuid=f"GPU-{i}") for i in range(4)]
    one, begin = record(), sweep_of(0)
    return [
        replace(
            one,
            sweep_id=begin.id,
            kernel=kernel,
            problem=size,
            device=boards[number % 4],
            launch=launch,
            samples_ms=tuple(draw.lognormvariate(0, 0.01) * (1 + number) for _ in range(SAMPLES)),
            started_at=f"2022-01-01T{3 + launch:02}:05:{number % 60:02}.{number:06}+00:00",
        )
        for launch in range(LAUNCHES)
        for kernel in kernels
        for number, size in enumerate(problems)
    ]


def copies(store: Store, url: str, size: int) -> None:
    """Copy the first sweep, already stored, until the store holds ``size`` results."""
    factors, engine = random.Random(2), open_engine(parse_url(url))
    for number, later in enumerate(_later(size), 1):
        store.start_sweep(later)
        with store.reading() as connection:
            sweep_id = connection.scalar(select(sweep.c.id).where(sweep.c.key == later.id))
        changed = {
            "id": result.c.id + number * A_SWEEP,
            "sweep_id": literal(sweep_id),
            "started_at": literal(later.started_at[:10]).concat(
                _from_eleventh(result.c.started_at)
            ),
        }
        factor = factors.lognormvariate(0, 0.01)
        changed |= {name: result.c[name] * factor for name in ("median_ms", "low_ms", "high_ms")}
        columns = [changed.get(column.name, column) for column in result.columns]
        rows = select(*columns).where(result.c.id <= A_SWEEP)
        blobs = select(sample.c.result_id + number * A_SWEEP, sample.c.times_ms).where(
            sample.c.result_id <= A_SWEEP
        )
        with writing(engine) as connection:
            connection.execute(insert(result).from_select([c.name for c in result.columns], rows))
            connection.execute(insert(sample).from_select(["result_id", "times_ms"], blobs))
        store.finish_sweep(later.id, "done")
    with writing(engine) as connection:  # as autovacuum does when a table has grown
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


def _later(size: int) -> Iterator[Sweep]:
    return map(sweep_of, range(1, max(size // A_SWEEP, 2)))


def _from_eleventh(column: object) -> object:
    from sqlalchemy import func

    return func.substr(column, 11)
