"""What the Store promises: one row a record, sweeps and their states, threads."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest

from harness.errors import RecordConflict, StoreError
from harness.model import Status
from harness.store import Store, open_store
from tests.store.make import SWEEP, failure, record


def test_the_same_record_twice_is_one_row(store: Store) -> None:
    assert store.append(record())
    assert not store.append(record())
    assert store.append_many([record(), record(1024), record(1024)]) == 1
    assert [r.problem.seq_q for r in store.records()] == [512, 1024]


def test_records_that_differ_in_any_part_of_the_identity_are_all_kept(store: Store) -> None:
    other = replace(SWEEP, id="other")
    store.start_sweep(other)
    different = [
        record(),
        record(launch=1),
        record(attempt=1),
        record(gpu="h100"),
        record(sweep_id="other"),
        record(timing=replace(record().timing, mode="hot")),
        record(kernel=replace(record().kernel, options=())),
    ]
    assert store.append_many(different) == len(different)
    assert len(list(store.records())) == len(different)
    assert [r.sweep_id for r in store.records("other")] == ["other"]


def test_one_identity_with_other_content_is_refused_naming_both(store: Store) -> None:
    first, second = record(), record(samples_ms=(5.0,) * 7)
    store.append(first)
    with pytest.raises(RecordConflict) as caught:
        store.append(second)
    message = str(caught.value)
    for part in (SWEEP.id, first.job_key, first.content_key, second.content_key, "samples_ms"):
        assert part in message
    assert [r.content_key for r in store.records()] == [first.content_key]


def test_a_conflict_within_one_batch_stores_none_of_it(store: Store) -> None:
    with pytest.raises(RecordConflict):
        store.append_many([record(1024), record(), record(samples_ms=(5.0,))])
    assert list(store.records()) == []
    assert store.append(record()), "the ids of the failed transaction are forgotten"
    assert store.append(record(1024))


def test_a_kernel_moved_to_another_file_keeps_its_job_and_both_places(store: Store) -> None:
    here, there = record(), record(launch=1, kernel=replace(record().kernel, file="elsewhere.py"))
    store.append_many([here, there])
    assert [r.kernel.file for r in store.records()] == [here.kernel.file, "elsewhere.py"]
    assert here.job_key == there.job_key


def test_a_record_of_a_sweep_that_was_never_started_is_refused_suggesting_one(
    store: Store,
) -> None:
    with pytest.raises(StoreError, match=SWEEP.id):
        store.append(record(sweep_id=SWEEP.id[:-1]))


def test_a_sweep_starts_with_its_skips_and_ends(store: Store) -> None:
    skips = [failure(n, Status.SKIPPED, sweep_id="b") for n in range(1, 2500)]
    store.start_sweep(replace(SWEEP, id="b", started_at="2026-02"), skips)
    assert store.tally("b") == {Status.SKIPPED: 2499}
    assert store.sweep("b").state == "running"
    store.finish_sweep("b", "interrupted")
    first, second = store.sweeps()
    assert (first.id, first.state, first.finished_at) == (SWEEP.id, "running", "")
    assert (second.id, second.state) == ("b", "interrupted")
    assert second.finished_at > "2026"


def test_a_start_that_fails_leaves_no_sweep(store: Store) -> None:
    skips = [failure(1, Status.SKIPPED, sweep_id="b"), failure(2, Status.SKIPPED, workload="\0")]
    with pytest.raises(StoreError):
        store.start_sweep(replace(SWEEP, id="b"), skips)
    assert [s.id for s in store.sweeps()] == [SWEEP.id]


def test_a_sweep_started_again_goes_on_and_another_of_its_id_is_refused(store: Store) -> None:
    skip = failure(1, Status.SKIPPED)
    store.start_sweep(SWEEP, [skip])
    store.finish_sweep(SWEEP.id, "interrupted")
    store.start_sweep(store.sweep(SWEEP.id), [skip, failure(2, Status.SKIPPED)])
    assert store.sweep(SWEEP.id).state == "running"
    assert store.tally(SWEEP.id) == {Status.SKIPPED: 2}
    with pytest.raises(RecordConflict, match=SWEEP.command):
        store.start_sweep(replace(SWEEP, command="attnbench run other"))


@pytest.mark.parametrize("state", ["running", "", "Done"])
def test_a_sweep_ends_only_in_a_known_state(store: Store, state: str) -> None:
    with pytest.raises(StoreError, match="interrupted"):
        store.finish_sweep(SWEEP.id, state)


def test_an_unknown_sweep_is_an_error_everywhere(store: Store) -> None:
    for ask in (store.finished, store.tally, store.sweep, lambda s: list(store.records(s))):
        with pytest.raises(StoreError, match="no sweep 'nope'"):
            ask("nope")
    with pytest.raises(StoreError, match="no sweep 'nope'"):
        store.finish_sweep("nope", "done")


def test_finished_names_each_launch_that_has_a_record_however_it_ended(store: Store) -> None:
    store.append_many([record(), record(launch=2), failure(1024, Status.CRASHED)])
    assert store.finished(SWEEP.id) == {
        (record().job_key, 0),
        (record().job_key, 2),
        (record(1024).job_key, 0),
    }


def test_one_record_is_found_by_its_identity(store: Store) -> None:
    store.append_many([record(), record(launch=1, duration_s=9.0)])
    found = store.record(SWEEP.id, record().job_key, launch=1)
    assert found is not None
    assert found.duration_s == 9.0
    assert store.record(SWEEP.id, record().job_key, launch=7) is None


def test_threads_that_share_a_store_lose_nothing(store: Store) -> None:
    def work(launch: int) -> None:
        for seq in range(1, 26):
            store.append(record(seq, launch=launch))
            assert store.tally(SWEEP.id)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.finished(SWEEP.id)) == 100


def test_records_arriving_while_one_reads_neither_block_nor_appear(store: Store) -> None:
    store.append_many([record(seq) for seq in range(1, 1101)])
    seen = 0
    for seen, _ in enumerate(store.records(), start=1):
        if seen == 1:
            store.append(record(5000))
    assert seen == 1100


def test_a_store_from_before_a_fork_is_refused_in_the_child(store: Store) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            store.append(record())
        except StoreError as error:
            os._exit(0 if "fork" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store.append(record())


def test_a_closed_store_leaves_one_file_and_reads_the_same(sqlite_store: Store, path) -> None:
    sqlite_store.append(record())
    sqlite_store.close()
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with open_store(f"sqlite:///{path}", read_only=True) as again:
        (read,) = again.records()
    assert read.content_key == record().content_key
