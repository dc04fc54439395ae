"""The store at size, on both engines: ingest, and the questions asked all the time.

``--size`` says how many results it holds, each with 30 samples: 100,000 by default, because filling
it takes longer than asking; 1,000,000 is what tests/bench/SCALE.md has figures of.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import perf_counter

import numpy as np

from harness.analysis.query import results
from harness.analysis.slices import history, latest_values, launch_medians
from harness.store import Store, open_store
from harness.store.merge import merge
from tests.bench.row import Row, row, timed
from tests.bench.synthetic import copies, first_sweep, sweep_of
from tests.postgres import running_postgres

REPEATS = 7
MERGED = 100_000
"""Results of the file that is merged."""
AIMS = {"SQLite": "> 20,000 /s", "Postgres": "> 10,000 /s"}


def rows(size: int) -> Iterator[Row]:
    """Time each on SQLite, then on Postgres (TEST_POSTGRES_URL, else the one of a wheel)."""
    with tempfile.TemporaryDirectory() as folder:
        source = str(Path(folder) / "source.db")
        with open_store(source, create=True) as store:
            store.start_sweep(sweep_of(0))
            store.append_many(first_sweep())
            copies(store, source, min(size, MERGED))
        files = (str(Path(folder) / f"{i}.db") for i in count())
        yield from _engine("SQLite", lambda: next(files), source, size)
        with running_postgres() as server:
            yield from _engine("Postgres", server.store, source, size)


def _engine(name: str, new_url: Callable[[], str], source: str, size: int) -> Iterator[Row]:
    rates = []
    for _ in range(3):
        with open_store(source) as file, open_store(new_url(), create=True) as store:
            start = perf_counter()
            rates.append(merge(file, store).results / (perf_counter() - start))
    yield row(f"{name}: merge of a file, results", rates, "1/s", AIMS[name])
    urls = [new_url() for _ in range(3)]
    records = first_sweep()
    rates = []
    for url in urls:
        with open_store(url, create=True) as store:
            store.start_sweep(sweep_of(0))
            fresh = [replace(record) for record in records]  # hashes are part of ingest
            rates.append(len(records) / timed(lambda s=store, r=fresh: s.append_many(r)))  # type: ignore[misc]
    yield row(f"{name}: append_many, records", rates, "1/s")
    with open_store(urls[-1]) as store:
        store.finish_sweep(sweep_of(0).id, "done")
        copies(store, urls[-1], size)
    with open_store(urls[-1], read_only=True) as store:
        yield from _questions(f"{name}, {size:,}", store, size)


def _questions(name: str, store: Store, size: int) -> Iterator[Row]:
    key = latest_values(store)["series_key"][17]
    last = max(size // len(first_sweep()), 2) - 1
    sweeps = [sweep_of(last - 1).id, sweep_of(last).id]
    for what, ask, bound in (
        ("latest of every series", lambda: latest_values(store), 100),
        ("history of one series", lambda: history(store, key), 10),
        ("two sweeps of 2,000 cells compared", lambda: compared(store, sweeps), 100),
        ("data of a report page", lambda: results(store, sweep=sweeps[-1]), 500),
    ):
        times = [timed(ask) * 1e3 for _ in range(REPEATS)]
        yield row(f"{name}: {what}", times, "ms", f"< {bound} ms")


def compared(store: Store, sweeps: list[str]) -> np.ndarray:
    """Ratio of the medians of the launches' medians, a number a cell."""
    frame = launch_medians(store, sweeps)
    cells = frame.groupby(["job_key", "sweep_id"], sort=False)["latency_ms"].median().unstack()
    return (cells[sweeps[1]] / cells[sweeps[0]]).to_numpy()
