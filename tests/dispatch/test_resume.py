"""What a run that ended early leaves in the store, and what the next one makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.dispatch.base import Event, Finished
from harness.dispatch.driver import run_sweep
from harness.dispatch.forecast import Forecast
from harness.measure.request import Request
from harness.model import Status, Sweep
from harness.store import Store, open_store
from tests.dispatch.matrix import requests
from tests.dispatch.simulated import SimulatedCluster
from tests.store.make import DEVICE, record

SWEEP = Sweep("simulated")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "results.db"), create=True) as store:
        yield store


def one_s(request: Request) -> float:
    return 1.0


def deaf(event: Event) -> None: ...


def crashes(request: Request, board: str) -> Status:
    return Status.CRASHED


def test_a_driver_that_dies_between_two_attempts_owes_the_second(store: Store) -> None:
    given = requests(1, kernels=1, launches=1)
    store.start_sweep(SWEEP)
    first = SimulatedCluster({"h100": 1}, one_s, fate=crashes)

    def die(event: Event) -> None:
        if isinstance(event, Finished):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(SWEEP, given, store, first, die)
    place = given[0].job.key, 0
    assert store.finished(SWEEP.id) == set()
    assert store.attempts(SWEEP.id) == {place: 1}
    again = [replace(given[0], attempt=store.attempts(SWEEP.id)[place])]
    outcome = run_sweep(
        SWEEP, again, store, SimulatedCluster({"h100": 1}, one_s, fate=crashes), deaf
    )
    assert [r.attempt for r in store.records()] == [0, 1], "it is not tried a third time"
    assert outcome.counts == {Status.CRASHED: 1}
    assert store.finished(SWEEP.id) == {place}
    assert store.attempts(SWEEP.id) == {}


def test_fail_fast_ends_with_the_first_failure_and_leaves_the_rest(store: Store) -> None:
    given = requests(10, kernels=1, launches=1)
    bad = given[3].job.key
    store.start_sweep(SWEEP)

    def fate(request: Request, board: str) -> Status:
        return Status.INCORRECT if request.job.key == bad else Status.OK

    said: list[str] = []
    cluster = SimulatedCluster({"h100": 1}, one_s, fate=fate)
    outcome = run_sweep(SWEEP, given, store, cluster, deaf, said.append, fail_fast=True)
    assert outcome.failed_fast
    assert outcome.counts[Status.INCORRECT] == 1
    assert len(store.finished(SWEEP.id)) == sum(outcome.counts.values()) < 10
    assert store.sweep(SWEEP.id).state == "interrupted"
    assert "fail_fast" in said[0]


def test_a_crash_that_a_second_try_refutes_is_no_failure(store: Store) -> None:
    given = requests(1, kernels=1, launches=1)
    store.start_sweep(SWEEP)
    fates = iter([Status.CRASHED, Status.OK])
    cluster = SimulatedCluster({"h100": 1}, one_s, fate=lambda request, board: next(fates))
    outcome = run_sweep(SWEEP, given, store, cluster, deaf, fail_fast=True)
    assert (outcome.failures, outcome.interrupted) == (0, False)


def test_earlier_results_say_how_long_a_job_takes_and_where_it_was(store: Store) -> None:
    given = requests(3, kernels=1, launches=1)
    store.start_sweep(SWEEP)
    job = given[0].job
    facts = {"sweep_id": SWEEP.id, "kernel": job.kernel, "problem": job.problem, "gpu": "h100"}
    for launch, seconds in enumerate((9.0, 4.5)):
        store.append(record(**facts, timing=job.timing, launch=launch, duration_s=seconds))
    store.append(
        record(**facts | {"problem": given[1].job.problem}, device=replace(DEVICE, kind="cpu"))
    )
    forecast = Forecast([request.job for request in given], store)
    assert forecast.cost_s(given[0]) == 4.5
    assert forecast.before == {
        ("h100", job.problem.key): DEVICE.uuid,
        ("h100", given[1].job.problem.key): DEVICE.host,
    }
    assert forecast.cost_s(given[2]) == Forecast([given[2].job]).cost_s(given[2]) > 0
