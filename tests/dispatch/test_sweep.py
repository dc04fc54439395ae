"""A whole sweep through real Ray: good kernels beside every kind of bad one, all of it stored."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from harness.config.catalog import gpus
from harness.dispatch.base import Dispatcher, Event, Finished, Started
from harness.dispatch.driver import run_sweep, skip_records
from harness.dispatch.inline import InlineDispatcher
from harness.dispatch.policy import RetryPolicy
from harness.dispatch.ray_cluster import RayCluster
from harness.dispatch.ray_dispatcher import RayDispatcher
from harness.model import Record, Status, Sweep
from harness.store import Store, open_store
from tests.dispatch.conftest import Planner, requests_of

PLANTED = {
    "wrong_numbers": Status.INCORRECT,
    "raises": Status.ERROR,
    "aborts": Status.CRASHED,
    "hangs": Status.TIMEOUT,
    "honest": Status.OK,
    "eager": Status.OK,
    "sdpa_math": Status.OK,
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    cluster = RayCluster(None)
    yield cluster
    cluster.close()


@pytest.fixture
def dispatcher(cluster: RayCluster) -> Iterator[RayDispatcher]:
    """On a Ray that the tests of this module share, so its close is the module's."""
    dispatcher = RayDispatcher(cluster, gpus(), RetryPolicy(retries=1))
    yield dispatcher
    dispatcher.release()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "results.db"), create=True) as store:
        yield store


def deaf(event: Event) -> None:
    pass


def by_kernel(store: Store) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in store.records():
        found.setdefault(record.kernel.name, []).append(record)
    return found


def test_every_good_result_is_stored_and_every_bad_one_has_its_status(
    plan_of: Planner, dispatcher: RayDispatcher, store: Store
) -> None:
    kernels = ",".join(PLANTED)
    plan = plan_of(f"kernel={kernels}", "workload.seq_len=32,48")
    sweep = Sweep("planted")
    store.start_sweep(sweep, skip_records(plan, sweep))
    outcome = run_sweep(sweep, requests_of(plan, sweep.id), store, dispatcher, deaf)
    stored = by_kernel(store)
    assert {name: {r.status for r in records} for name, records in stored.items()} == {
        name: {status} for name, status in PLANTED.items()
    }
    attempts = {name: sorted(r.attempt for r in records) for name, records in stored.items()}
    assert attempts.pop("aborts") == [0, 0, 1, 1], "a crash is tried once more"
    assert set(map(tuple, attempts.values())) == {(0, 0)}
    assert outcome.failures == 8
    assert not outcome.interrupted
    assert all(r.reason for records in stored.values() for r in records if r.status != "ok")


def test_a_killed_worker_costs_one_attempt(
    plan_of: Planner, dispatcher: RayDispatcher, store: Store
) -> None:
    """The actor itself is killed in the middle of a job: the job is tried again and succeeds."""
    plan = plan_of("kernel=honest,eager", "workload.seq_len=32")
    sweep = Sweep("killed")
    store.start_sweep(sweep)
    killed: list[str] = []

    def kill_once(event: Event) -> None:
        if isinstance(event, Started) and not killed:
            killed.append(event.worker)
            ray.kill(dispatcher.boards()[0].actor)

    outcome = run_sweep(sweep, requests_of(plan, sweep.id), store, dispatcher, kill_once)
    assert killed
    assert outcome.counts == {Status.OK: 2}
    assert sorted(r.attempt for records in by_kernel(store).values() for r in records) == [0, 1]


def test_a_worker_that_is_always_lost_ends_as_lost(
    plan_of: Planner, dispatcher: RayDispatcher, store: Store
) -> None:
    plan = plan_of("kernel=honest", "workload.seq_len=32")
    sweep = Sweep("lost")
    store.start_sweep(sweep)

    def kill(event: Event) -> None:
        if isinstance(event, Started):
            ray.kill(dispatcher.boards()[0].actor)

    run_sweep(sweep, requests_of(plan, sweep.id), store, dispatcher, kill)
    (record,) = store.records()
    assert record.status is Status.LOST
    assert record.attempt == 1
    assert "2 times" in record.reason


def stopped_early(dispatcher: Dispatcher, plan_of: Planner, store: Store) -> tuple[int, int]:
    plan = plan_of("kernel=honest", "workload.seq_len=range(16,336,16)")
    sweep = Sweep("stopped")
    store.start_sweep(sweep)
    requests = requests_of(plan, sweep.id)

    def stop_after_three(event: Event) -> None:
        if isinstance(event, Finished) and len(store.finished(sweep.id)) == 3:
            dispatcher.stop()

    outcome = run_sweep(sweep, requests, store, dispatcher, stop_after_three)
    assert outcome.interrupted
    assert store.sweep(sweep.id).state == "interrupted"
    return len(store.finished(sweep.id)), len(requests)


def test_stop_keeps_what_is_finished(
    plan_of: Planner, dispatcher: RayDispatcher, store: Store
) -> None:
    done, planned = stopped_early(dispatcher, plan_of, store)
    assert 3 <= done <= 4 < planned


def test_inline_stops_too(plan_of: Planner, store: Store) -> None:
    done, planned = stopped_early(InlineDispatcher(), plan_of, store)
    assert done == 3 < planned


def test_inline_gives_the_same_statuses(plan_of: Planner, store: Store) -> None:
    """For what doesn't take the process with it."""
    plan = plan_of("kernel=wrong_numbers,raises,honest", "workload.seq_len=32")
    sweep = Sweep("inline")
    store.start_sweep(sweep)
    run_sweep(sweep, requests_of(plan, sweep.id), store, InlineDispatcher(), deaf)
    found = {name: records[0].status for name, records in by_kernel(store).items()}
    assert found == {name: PLANTED[name] for name in ("wrong_numbers", "raises", "honest")}


def test_no_process_is_left_behind(plan_of: Planner, cluster: RayCluster, store: Store) -> None:
    """Killing the actor takes its fork server and its children with it."""
    dispatcher = RayDispatcher(cluster, gpus(), RetryPolicy(retries=0))
    plan = plan_of("kernel=hangs", "workload.seq_len=32", "timing.timeout_s=60")
    sweep = Sweep("left")
    store.start_sweep(sweep)
    others = set(fork_servers())  # of a sweep that somebody runs on this machine
    servers: list[int] = []

    def stop_once_running() -> None:
        deadline = time.monotonic() + 30
        while len(servers) < 3 and time.monotonic() < deadline:  # the server and two children
            servers[:] = set(fork_servers()) - others
            time.sleep(0.1)
        time.sleep(0.5)
        dispatcher.stop()

    watcher = threading.Thread(target=stop_once_running)
    watcher.start()
    run_sweep(sweep, requests_of(plan, sweep.id), store, dispatcher, deaf)
    watcher.join()
    assert len(servers) >= 3
    dispatcher.release()
    deadline = time.monotonic() + 10
    while set(servers) & set(fork_servers()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not set(servers) & set(fork_servers())


def fork_servers() -> list[int]:
    """Pids of the fork servers and their children on this machine."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:  # it has just ended
                continue
            if b"harness.measure.server" in command and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def test_the_handlers_of_signals_are_given_back() -> None:
    from harness.cli.run import stopping_on_signals

    before = signal.getsignal(signal.SIGINT)
    dispatcher = InlineDispatcher()
    with stopping_on_signals(dispatcher):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
    assert signal.getsignal(signal.SIGINT) is before
    assert list(dispatcher.run([None])) == []  # type: ignore[list-item]
