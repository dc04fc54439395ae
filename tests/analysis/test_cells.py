"""`cells` and `latest`: what one sweep says of a job on a board, and what is newest."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.analysis.cells import SEVERITY
from harness.analysis.query import COLUMNS, cells, latest, results
from harness.model import Record, Status
from harness.store import Store
from tests.analysis.conftest import OTHER
from tests.store.make import DEVICE, SWEEP, failure, record


def run(launch: int, ms: float, **changes: object) -> Record:
    return record(launch=launch, samples_ms=(ms,) * 7, **changes)


def cell(store: Store, *records: Record) -> pd.Series:
    """The only cell of these records."""
    store.append_many(records)
    frame = cells(results(store))
    assert len(frame) == 1
    return frame.iloc[0]


def test_launches_become_one_row_with_their_median_and_a_t_interval(store: Store) -> None:
    medians = [1.0, 1.3, 1.1]
    found = cell(store, *(run(n, ms) for n, ms in enumerate(medians)))
    assert found["latency_ms"] == 1.1
    low, high = stats.t.interval(
        0.95, 2, loc=np.log(medians).mean(), scale=stats.sem(np.log(medians))
    )
    assert found["latency_low_ms"] == pytest.approx(math.exp(low))
    assert found["latency_high_ms"] == pytest.approx(math.exp(high))
    assert (found["launches"], found["samples"], found["status"]) == (3, 21, "ok")
    assert found["tflops"] == pytest.approx(4e12 / 1.1e-3 / 1e12)
    assert found["bandwidth_gb_s"] == pytest.approx(1e9 / 1.1e-3 / 1e9)
    assert found["duration_s"] == pytest.approx(3 * 1.75)


def test_the_columns_are_those_of_results_with_launches_for_launch_and_attempt(
    store: Store,
) -> None:
    store.append(record())
    expected = [name for name in COLUMNS if name not in ("launch", "attempt")]
    expected.insert(expected.index("status"), "launches")
    frame = results(store)
    assert list(cells(frame).columns) == list(cells(frame[:0]).columns) == expected


def test_one_launch_has_the_interval_within_it(store: Store) -> None:
    one = record()
    found = cell(store, one)
    assert (found["latency_low_ms"], found["latency_high_ms"]) == one.interval_ms


def test_the_interval_holds_the_latency_of_bimodal_launches(store: Store) -> None:
    found = cell(store, *(run(n, 1.0 if n < 9 else 1.1) for n in range(17)))
    assert found["latency_ms"] == 1.0, "the geometric mean's own interval starts at 1.02"
    assert found["latency_low_ms"] == 1.0
    assert found["latency_high_ms"] < 1.1


def test_the_interval_covers_the_truth_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(0)
    trials, launches = 2000, 4
    ms = np.exp(random.normal(0, 0.05, trials * launches))
    frame = pd.DataFrame(
        {
            "sweep_id": "s",
            "job_key": np.repeat(np.arange(trials), launches).astype(str),
            "launch": np.tile(np.arange(launches), trials),
            "attempt": 0,
            "status": "ok",
            "latency_ms": ms,
            **dict.fromkeys(("device_uuid", "host", "reason", "flags", "stop_reason"), ""),
        }
    )
    for name in COLUMNS:
        if name not in frame:
            frame[name] = np.nan
    found = cells(frame)
    covered = ((found["latency_low_ms"] < 1) & (found["latency_high_ms"] > 1)).mean()
    assert 0.93 < covered < 0.97


def test_launches_whose_autotuning_agreed_carry_no_flag(store: Store) -> None:
    def tuned(launch: int, config: str | None) -> Record:
        read_off = (("autotune", config),) if config else ()
        return run(launch, 1.0, flags=(), conditions=read_off)

    assert cell(store, tuned(0, "BLOCK: 64"), tuned(1, None), tuned(2, "BLOCK: 64"))["flags"] == ""


def test_a_cell_with_two_autotuned_configs_says_so_beside_its_other_flags(store: Store) -> None:
    found = cell(
        store,
        run(0, 1.0, conditions=(("autotune", "BLOCK: 64"), ("compile_cache", "cold"))),
        run(1, 1.0, conditions=(("autotune", "BLOCK: 128"), ("compile_cache", "warm"))),
    )
    assert found["flags"] == "bimodal, autotune_differs"
    assert found["compile_cache"] == "cold, warm"


def test_a_retry_that_succeeded_makes_an_ok_cell(store: Store) -> None:
    found = cell(
        store,
        failure(launch=0, attempt=0, status=Status.CRASHED, device=DEVICE),
        run(0, 2.0, attempt=1),
        run(1, 2.0),
    )
    assert (found["status"], found["reason"], found["launches"]) == ("ok", "", 2)
    assert found["latency_ms"] == 2.0


def test_a_launch_counts_by_its_last_attempt_where_none_succeeded(store: Store) -> None:
    found = cell(
        store,
        failure(attempt=0, status=Status.CRASHED, reason="first"),
        failure(attempt=1, status=Status.LOST, reason="second"),
    )
    assert (found["status"], found["reason"]) == ("lost", "second")


@pytest.mark.parametrize(("better", "worse"), list(pairwise(SEVERITY)))
def test_a_cell_is_as_bad_as_its_worst_launch_and_then_has_no_speed(
    store: Store, better: str, worse: str
) -> None:
    def attempt(launch: int, status: str) -> Record:
        if status == "ok":
            return run(launch, 2.0)
        return failure(launch=launch, status=Status(status), reason=f"why {status}")

    found = cell(store, attempt(0, better), attempt(1, worse), attempt(2, better))
    assert (found["status"], found["reason"], found["launches"]) == (worse, f"why {worse}", 3)
    for name in ("latency_ms", "latency_low_ms", "latency_high_ms", "tflops", "bandwidth_gb_s"):
        assert math.isnan(found[name]), name


def test_every_status_has_its_place() -> None:
    assert sorted(SEVERITY) == sorted(map(str, Status))


def test_a_launch_that_reached_no_board_counts_to_the_jobs_board(store: Store) -> None:
    found = cell(store, failure(launch=0, status=Status.LOST), run(1, 2.0), run(2, 2.0))
    assert (found["status"], found["launches"], found["device"]) == ("lost", 3, DEVICE.model)
    assert found["torch"] == "2.13.0", "a row of a launch that ran stands for the cell"


def test_boards_and_sweeps_and_jobs_are_cells_of_their_own(store: Store) -> None:
    board = replace(DEVICE, uuid="GPU-2")
    store.append_many(
        [
            run(0, 1.0),
            run(1, 2.0, device=board),
            run(0, 3.0, sweep_id=OTHER.id),
            run(0, 4.0, gpu="h100"),
        ]
    )
    assert list(cells(results(store))["latency_ms"]) == [1.0, 2.0, 3.0, 4.0]


def test_figures_of_a_cell_are_its_worst_and_its_remarks_are_all_of_them(store: Store) -> None:
    good = record().accuracy
    assert good is not None
    found = cell(
        store,
        run(0, 1.0, flags=("drift",), stop_reason="ci"),
        run(1, 1.0, flags=("bimodal", "drift"), accuracy=replace(good, max_error=0.5, cosine=0.9)),
    )
    assert (found["max_error"], found["cosine"]) == (0.5, 0.9)
    assert found["flags"] == "drift, bimodal"


def test_a_frame_in_which_nothing_ran_has_cells_without_speeds(store: Store) -> None:
    found = cell(store, failure(1, Status.SKIPPED, reason="fp64 not supported"))
    assert (found["status"], found["reason"]) == ("skipped", "fp64 not supported")
    assert pd.isna(found["device"])


def test_latest_keeps_the_newest_sweep_of_each_series(store: Store) -> None:
    store.append_many(
        [
            run(0, 1.0),  # measured again later
            run(0, 2.0, sweep_id=OTHER.id),
            record(1024, samples_ms=(3.0,) * 7),  # measured once
            failure(1024, Status.SKIPPED, sweep_id=OTHER.id),  # and newly skipped
            failure(2048, Status.SKIPPED),  # skipped once, measured later
            record(2048, samples_ms=(4.0,) * 7, sweep_id=OTHER.id),
        ]
    )
    found = latest(cells(results(store)))
    assert sorted(zip(found["seq_q"], found["sweep_id"], found["status"], strict=True)) == [
        (512, OTHER.id, "ok"),
        (1024, SWEEP.id, "ok"),
        (1024, OTHER.id, "skipped"),
        (2048, OTHER.id, "ok"),
    ]
    assert latest(results(store)[:0]).empty
