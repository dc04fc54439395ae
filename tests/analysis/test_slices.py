"""The narrow answers say what the wide frame says."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import insert, select

from harness.analysis.query import results
from harness.analysis.slices import history, latest_values, launch_medians
from harness.store import Store, schema
from harness.store.engine import writing
from tests.analysis.conftest import OTHER
from tests.store.make import SWEEP, failure, record

LATE = "2026-03-01T00:00:01.000000+00:00"


def filled(store: Store) -> None:
    store.append_many(
        [
            record(1, samples_ms=(1.0,) * 7),
            record(1, samples_ms=(2.0,) * 7, launch=1),
            record(1, samples_ms=(3.0,) * 7, sweep_id=OTHER.id, started_at=LATE),
            record(2, samples_ms=(4.0,) * 7),
            failure(3),
        ]
    )


def exclude_newest(store: Store) -> None:
    with writing(store._engine) as connection:
        id_ = connection.scalar(
            select(schema.result.c.id).where(schema.result.c.started_at == LATE)
        )
        connection.execute(
            insert(schema.exclusion).values(result_id=id_, reason="fan", excluded_at=LATE)
        )


def test_the_latest_value_is_that_of_the_newest_result_of_each_series(store: Store) -> None:
    filled(store)
    frame = latest_values(store).set_index("series_key")
    assert frame["latency_ms"].to_dict() == {record(1).series_key: 3.0, record(2).series_key: 4.0}
    row = frame.loc[record(1).series_key]
    assert (row.sweep_id, row.kernel, row.samples) == (OTHER.id, "sdpa_flash", 7)
    exclude_newest(store)
    values = latest_values(store).set_index("series_key")["latency_ms"]
    assert values[record(1).series_key] in (1.0, 2.0), "the two launches began at one moment"


def test_history_is_one_series_in_order_of_time(store: Store) -> None:
    filled(store)
    frame = history(store, str(record(1).series_key))
    assert list(frame["latency_ms"]) == [1.0, 2.0, 3.0]
    assert set(frame["torch"]) == {"2.13.0"}
    assert set(frame["device_uuid"]) == {"GPU-1"}
    exclude_newest(store)
    assert list(history(store, str(record(1).series_key))["latency_ms"]) == [1.0, 2.0]
    assert history(store, "none").empty


def test_launch_medians_say_what_the_frame_of_results_says(store: Store) -> None:
    filled(store)
    names = ["sweep_id", "job_key", "device_uuid", "launch", "attempt", "status", "latency_ms"]
    wide = results(store, sweep=[SWEEP.id, OTHER.id])[names]
    narrow = launch_medians(store, [SWEEP.id, OTHER.id])[names]
    order = ["sweep_id", "job_key", "launch"]
    pd.testing.assert_frame_equal(
        narrow.sort_values(order, ignore_index=True),
        wide.sort_values(order, ignore_index=True),
        check_dtype=False,
    )
    assert launch_medians(store, ["none"]).empty
    assert len(launch_medians(store, [SWEEP.id])) == 4
