"""Results of other tools: exact, once each, apart from records; on every engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.query import results
from harness.errors import RecordConflict, StoreError
from harness.model import External
from harness.store import Store, open_store
from tests.store.make import record

ONE = External(
    benchmark="decode",
    measure="latency",
    unit="ms",
    values=(0.1 + 0.2, 5e-324, 1e300),
    device="NVIDIA H100",
    measured_at="2026-01-31T12:00:00.000000+00:00",
    source="csv",
    params=(("dtype", "bf16"), ("paged", True), ("scale", 0.1), ("seq", 4096)),
    version="abc123",
    statistic="mean",
    higher_is_better=False,
    origin="a.csv: line 2",
    metadata={"host": "<b>'\"; DROP TABLE", "libs": {"torch": "2.13.0"}, "n": [1, None]},
)


def test_they_come_back_as_they_went_in(store: Store) -> None:
    odd = replace(ONE, benchmark="\u202edecode 🎈 <script>", params=(), values=(-1.0,), unit="")
    assert store.append_externals([ONE, odd]) == 2
    assert list(store.externals()) == [ONE, odd]


def test_the_same_result_is_one_row_wherever_its_file_lay(store: Store) -> None:
    moved = replace(ONE, origin="b.csv: line 9")
    assert store.append_externals([ONE, moved]) == 1
    assert store.append_externals([moved]) == 0
    assert list(store.externals()) == [ONE]


def test_another_value_for_the_same_time_and_version_is_a_conflict_naming_both(
    store: Store,
) -> None:
    store.append_externals([ONE])
    other = replace(ONE, values=(2.0,), origin="b.csv: line 9")
    late = replace(ONE, measured_at="2026-02-01T00:00:00.000000+00:00")
    for batch in ([late, other], [late, replace(late, values=(2.0,), origin="b.csv: line 9")]):
        with pytest.raises(RecordConflict) as caught:
            store.append_externals(batch)
        assert "a.csv: line 2" in str(caught.value)
        assert "b.csv: line 9" in str(caught.value)
        assert list(store.externals()) == [ONE], "nothing of a refused batch is stored"


def test_they_are_in_no_frame_of_kernels(store: Store) -> None:
    store.append(record())
    store.append_externals([ONE])
    assert set(results(store)["operator"]) == {"attention"}
    assert len(list(store.records())) == 1


def test_what_no_store_can_keep_is_refused(store: Store) -> None:
    for bad in (replace(ONE, benchmark="a\0b"), replace(ONE, version="\ud800")):
        with pytest.raises(StoreError):
            store.append_externals([bad])
    assert not store.has_externals()


def test_a_store_that_is_read_only_takes_none(url: str) -> None:
    with (
        open_store(url, read_only=True) as store,
        pytest.raises(StoreError, match="read-only"),
    ):
        store.append_externals([ONE])
