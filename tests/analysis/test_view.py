"""What a view shows: a sweep, the last one, or what is known now of each series."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.query import cells
from harness.analysis.view import View, view_records
from harness.errors import StoreError
from harness.model import Sweep
from harness.store import open_store
from tests.store.make import failure, record


def sweep(number: int) -> Sweep:
    return Sweep(f"2026010{number}-000000-aaaaaa", "n", started_at=f"2026-01-0{number}T00:00:00")


def at(number: int, seq: int, launch: int = 0, **changes):
    when = f"2026-01-0{number}T01:0{launch}:00.000000+00:00"
    own = {"sweep_id": sweep(number).id, "launch": launch, "started_at": when}
    return record(seq, **(own | changes))


@pytest.fixture
def store(tmp_path):
    """512 in both sweeps, 1024 in the first alone, 2048 skipped in both."""
    with open_store(f"{tmp_path}/a.db", create=True) as store:
        for number, lengths in ((1, (512, 1024)), (2, (512,))):
            store.start_sweep(sweep(number))
            store.append_many(at(number, n, launch) for n in lengths for launch in (0, 1))
            store.append(replace(failure(2048), sweep_id=sweep(number).id, started_at=""))
        yield store


def shown(store, **view):
    frame = view_records(store, View(**view))
    return sorted(zip(frame.sweep_id.str[:8], frame.seq_k, frame.launch, strict=True))


def test_last_is_the_newest_sweep_and_an_id_is_that_one(store):
    assert shown(store) == [("20260102", 512, 0), ("20260102", 512, 1), ("20260102", 2048, 0)]
    assert len(shown(store, sweep=sweep(1).id)) == 5
    with pytest.raises(StoreError, match="no sweep 'nope'"):
        shown(store, sweep="nope")


def test_all_is_every_launch_of_the_newest_sweep_of_each_series(store):
    found = shown(store, sweep="all")
    assert [f for f in found if f[1] == 512] == [("20260102", 512, 0), ("20260102", 512, 1)]
    assert [f for f in found if f[1] == 1024] == [("20260101", 1024, 0), ("20260101", 1024, 1)]
    assert ("20260102", 2048, 0) in found
    assert sorted(cells(view_records(store, View(sweep="all"))).launches) == [1, 1, 2, 2]


def test_filters_run_in_both(store):
    assert shown(store, kernel=("nope*",)) == []
    assert shown(store, sweep="all", kernel=("sdpa_*",), dtype=("fp32",)) == []
    assert len(shown(store, sweep="all", workload=("llama",))) == 6


def test_an_empty_store_shows_an_empty_frame_with_all_columns(tmp_path):
    with open_store(f"{tmp_path}/b.db", create=True) as store:
        for which in ("last", "all"):
            frame = view_records(store, View(sweep=which))
            assert frame.empty
            assert "latency_ms" in frame
