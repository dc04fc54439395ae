"""Histories of a store with planted truth: what moved, since when, and why."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.history.read import Filters
from harness.analysis.history.study import study
from harness.errors import ConfigError
from harness.model import Accuracy, Memory, Status
from harness.store import Store, open_store
from harness.store.annotations import exclude, reset_baseline
from harness.store.selection import Selection
from tests.analysis.history.nightly import Changed, environment, fill, of, revision, sweep_of
from tests.store.make import DEVICE, failure

UPGRADE = 15
NIGHTS = range(30)


@pytest.fixture
def store(new_file: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "nightly.db"
    shutil.copyfile(new_file, path)
    with open_store(str(path)) as store:
        yield store


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A new store on each engine."""
    if request.param == "sqlite":
        yield request.getfixturevalue("store")
        return
    with open_store(request.getfixturevalue("postgres").store()) as store:
        yield store


def upgrade(number: int, night: int) -> Changed:
    """From UPGRADE on everybody has a new torch, with which the first 40 series are 8 % slower."""
    if night < UPGRADE:
        return {}
    return {"environment": environment("2.13.0"), "factor": 1.08 if number < 40 else 1.0}


def test_forty_series_that_moved_with_an_upgrade_are_one_event_that_names_it(
    either: Store,
) -> None:
    fill(either, 44, NIGHTS, upgrade)
    found = study(either, ["latency_ms"])
    (event,) = found.events
    assert event.sweep == sweep_of(UPGRADE).id
    assert (len(event.worse), len(event.better)) == (40, 0)
    (cause,) = event.causes
    assert cause.text == "torch 2.12.0 → 2.13.0"
    assert (cause.moves, cause.exposed) == (40, 44), "four got it and didn't move"
    for move in event.moves:
        assert move.change.low < 1.08 < move.change.high or abs(move.change.ratio - 1.08) < 0.01
        assert abs(move.first_bad - UPGRADE) <= 1
        assert move.last_good == move.first_bad - 1
        assert {"driver", "kernel source"} <= set(move.same)
    assert found.steady == 4
    assert not found.short


def test_a_fix_is_noticed_and_the_event_is_settled(store: Store) -> None:
    def slow_for_a_while(number: int, night: int) -> Changed:
        source = "b" if night >= 10 else "a"
        fixed = "c" if night >= 20 else source
        changed = replace(of(0, 0, {}).revision, source_hash=fixed * 64)  # type: ignore[type-var]
        return {"revision": changed, "factor": 1.1 if 10 <= night < 20 else 1.0}

    fill(store, 2, NIGHTS, slow_for_a_while)
    better, worse = study(store, ["latency_ms"]).events
    assert worse.fixed
    assert worse.fixed_at[:10] == "2026-01-21"
    assert [cause.text for cause in worse.causes] == ["kernel source changed"]
    assert (len(better.better), len(better.worse), better.fixed) == (2, 0, False)


def test_memory_error_and_throughput_move_their_own_ways(store: Store) -> None:
    def changed(number: int, night: int) -> Changed:
        late = night >= UPGRADE
        return {
            "memory": Memory(2 * 10**8 if late else 10**8, "allocator"),
            "accuracy": Accuracy(1e-3 if late else 2e-3, 2e-3, 0.99),
            "conditions": (("energy_j", 3.0 if late else 2.0),),
            "factor": 0.9 if late else 1.0,
        }

    fill(store, 1, NIGHTS, changed)
    names = ["latency_ms", "tflops", "peak_memory_mb", "max_error", "energy_j", "tflops_per_w"]
    found = study(store, names)
    (event,) = found.events
    verdicts = {move.track.metric: move.verdict for move in event.moves}
    assert verdicts == {
        "latency_ms": "better",
        "tflops": "better",
        "peak_memory_mb": "worse",
        "max_error": "better",
        "energy_j": "worse",
        "tflops_per_w": "worse",
    }
    memory = next(m for m in event.moves if m.track.metric == "peak_memory_mb")
    assert [memory.change.before, memory.change.after] == pytest.approx([100, 200])
    assert memory.change.index == UPGRADE
    assert event.causes == (), "nothing that is recorded changed"


def test_within_one_repository_the_order_is_that_of_commits(store: Store) -> None:
    """Commits measured from the newest to the oldest, as a backfill does."""

    def backfilled(number: int, night: int) -> Changed:
        commit = 29 - night
        return {"revision": revision(commit), "factor": 1.1 if commit >= 18 else 1.0}

    fill(store, 1, NIGHTS, backfilled)
    ((move,),) = [event.moves for event in study(store, ["latency_ms"]).events]
    assert move.track.by_commit
    assert move.verdict == "worse"
    assert move.track.commit(move.first_bad) == f"{18:040x}"
    assert move.track.commit(move.last_good) == f"{17:040x}"
    assert move.track.late == 0


def test_a_point_without_a_commit_leaves_the_order_to_time(store: Store) -> None:
    fill(store, 1, NIGHTS, lambda _, night: {"revision": revision(29 - night)} if night else {})
    (track,) = study(store, ["latency_ms"]).tracks
    assert not track.by_commit
    assert list(track.at) == sorted(track.at)


def test_a_clock_set_back_is_counted_and_changes_nothing(store: Store) -> None:
    fill(store, 1, [*range(10), *range(20, 30)])
    fill(store, 1, range(10, 20))  # stored after, with earlier times
    found = study(store, ["latency_ms"])
    assert found.late == 10
    assert list(found.tracks[0].at) == sorted(found.tracks[0].at)
    assert found.events == ()


def test_a_board_of_its_own_speed_is_no_change(store: Store) -> None:
    def boards(number: int, night: int) -> Changed:
        slow = night % 3 == 0
        board = replace(DEVICE, uuid="GPU-2" if slow else "GPU-1")
        return {"device": board, "factor": 1.07 if slow else 1.0}

    fill(store, 3, NIGHTS, boards)
    assert study(store, ["latency_ms"]).events == ()


def test_a_point_is_the_median_of_launches_and_a_failed_launch_spoils_it(store: Store) -> None:
    fill(store, 1, range(6), launches=3, noise=0.02)
    one = of(0, 5, {}, launch=3)
    store.append(failure(sweep_id=one.sweep_id, kernel=one.kernel, problem=one.problem, launch=3))
    (track,) = study(store, ["latency_ms"]).tracks
    assert len(track.values) == 5
    expected = np.median([r.median_ms for r in store.records(sweep_of(0).id)])
    assert track.values[0] == expected


def test_a_retried_launch_counts_by_the_attempt_that_succeeded(store: Store) -> None:
    lost = {"status": Status.LOST, "reason": "gone", "samples_ms": (), "accuracy": None}
    store.start_sweep(sweep_of(0))
    store.append(of(0, 0, lost | {"memory": None}))
    store.append(of(0, 0, {"attempt": 1}))
    (track,) = study(store, ["latency_ms"]).tracks
    assert list(track.values) == [1.0]


def test_excluded_results_and_what_lies_before_a_baseline_are_left_out(store: Store) -> None:
    fill(store, 2, NIGHTS, upgrade)
    for night in (3, 4):
        exclude(store, Selection(sweep=sweep_of(night).id), "the fan was broken")
    assert {len(t.values) for t in study(store, ["latency_ms"]).tracks} == {28}
    assert study(store, ["latency_ms"]).events
    starts = sweep_of(UPGRADE).started_at
    assert reset_baseline(store, Selection(kernel="kernel_0"), "the new torch", starts) == 1
    found = study(store, ["latency_ms"])
    assert sorted(len(t.values) for t in found.tracks) == [15, 28]
    assert [m.track.labels["kernel"] for m in found.events[0].moves] == ["kernel_1"]


def test_a_series_of_one_point_is_too_short_and_never_steady(store: Store) -> None:
    fill(store, 2, [0])
    found = study(store, ["latency_ms"])
    assert (len(found.short), found.judged, found.steady) == (2, 0, 0)
    assert found.events == ()


def test_a_metric_that_was_not_recorded_has_no_track_and_gaps_are_no_moves(store: Store) -> None:
    fill(store, 2, NIGHTS, lambda number, night: {"memory": None} if number or night % 4 else {})
    tracks = study(store, ["peak_memory_mb"]).tracks
    assert len(tracks) == 1
    assert np.isnan(tracks[0].values).sum() == 22
    assert study(store, ["peak_memory_mb"]).events == ()


def test_filters_choose_series_and_since_chooses_events(store: Store) -> None:
    keys = fill(store, 6, NIGHTS, upgrade)
    which = Filters(kernel="*_1", dtype="bf16", gpu="h200", workload="llama")
    assert len(study(store, ["latency_ms"], which).tracks) == 3
    (track,) = study(store, ["latency_ms"], Filters(series=keys[3][:10])).tracks
    assert track.series_key == keys[3]
    assert len(study(store, ["latency_ms"], since="2026-01-10").events) == 1
    assert study(store, ["latency_ms"], since="2026-01-25").events == ()
    assert study(store, ["latency_ms"], min_effect=0.2).events == ()


@pytest.mark.parametrize(
    ("metrics", "which", "message"),
    [
        (["latncy_ms"], Filters(), "latency_ms"),
        (["peak_share"], Filters(), "no history of its own"),
        ([], Filters(kernel="kernel_9"), "Did you mean kernel_"),
        ([], Filters(dtype="bf8"), "Did you mean bf16"),
        ([], Filters(gpu="h100"), "Did you mean h200"),
        ([], Filters(workload="lama"), "Did you mean llama"),
        ([], Filters(series="zz"), "none begins so"),
        ([], Filters(series=""), "2 of them begins so"),
    ],
)
def test_what_names_nothing_here_is_refused_with_what_is_close(
    metrics: list[str], which: Filters, message: str, store: Store
) -> None:
    fill(store, 2, [0])
    with pytest.raises(ConfigError, match=message):
        study(store, metrics, which)


def test_two_machines_upgraded_on_one_day_are_one_event(store: Store) -> None:
    """Each with sweeps of its own, twelve hours apart."""

    def host(number: int, night: int) -> Changed:
        board = replace(DEVICE, uuid=f"GPU-{night % 2}", host=f"node{night % 2}")
        new = night >= UPGRADE * 2
        at = sweep_of(night // 2).started_at.replace("T03", f"T{3 + 12 * (night % 2):02}")
        changed: Changed = {"device": board, "started_at": at, "factor": 1.1 if new else 1.0}
        changed["environment"] = environment("2.13.0" if new else "2.12.0")
        # A model of its own: two series, as of two kinds of GPU.
        return changed | {"device": replace(board, model=f"GPU {night % 2}")}

    fill(store, 1, range(60), host)
    found = study(store, ["latency_ms"])
    (event,) = found.events
    assert len(event.worse) == 2
    assert event.causes[0].text == "torch 2.12.0 → 2.13.0"
