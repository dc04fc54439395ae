"""Any store merges into any other: each result once, samples to the last bit, annotations too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import RecordConflict, StoreError
from harness.model import External, Status
from harness.store import Store, bulk, open_store, retention, schema
from harness.store.annotations import exclude, reset_baseline, tag
from harness.store.audit import audit_log
from harness.store.carrying import annotation_items
from harness.store.merge import FACTS, Merged, merge
from harness.store.selection import Selection
from harness.store.triage import TriagedMove, add_triage
from tests.store.conftest import ENGINES, new_url
from tests.store.make import KERNEL, SWEEP, failure, record

OTHER = replace(SWEEP, id="20260302-030405-abcdef", started_at="2026-03-02T03:04:05.000000+00:00")
EXTERNAL = External(
    "attn", "time", "s", (0.1, 1 / 3), "box", "2026-01-01T00:00:00.000000+00:00", "csv"
)


def everything(store: Store) -> dict[str, object]:
    """What a store says, by keys that are the same on every machine."""
    with store.reading() as connection:
        annotations = [item for item in annotation_items(connection) if item[0] != "audit"]
    return {
        "sweeps": [sweep.to_dict() for sweep in store.sweeps()],
        "records": sorted((r.key, r.content_key, r.text()) for r in store.records()),
        "externals": [(e.key, e.content_key) for e in store.externals()],
        "annotations": sorted(map(str, annotations)),
    }


def fill(store: Store) -> None:
    store.start_sweep(SWEEP, [failure(4096, Status.SKIPPED, reason="head dim 512")])
    store.append_many(
        record(seq, launch=launch, samples_ms=(0.1 * seq, 1 / 3, 5e-324, 1e300))
        for seq in range(1, 30)
        for launch in range(2)
    )
    store.finish_sweep(SWEEP.id, "done")
    store.start_sweep(OTHER)
    store.append(record(sweep_id=OTHER.id, kernel=replace(KERNEL, name="eager")))
    store.append_externals([EXTERNAL])
    tag(store, SWEEP.id, "release")
    exclude(store, Selection(job=record(7).job_key), "noise")
    reset_baseline(store, Selection(kernel="eager"), "driver", "2026-02-01")
    moved = [
        TriagedMove("5e41e5", "latency_ms", 1, 1.05),
        TriagedMove("5e41e6", "energy_j", -1, None),
    ]
    add_triage(store, "e4e47", OTHER.id, "expected", "new mask", ["https://x.org/1"], moved)
    with store.writing() as connection:
        connection.execute(schema.sample.delete().where(schema.sample.c.result_id == 5))


@pytest.fixture(params=[(a, b) for a in ENGINES for b in ENGINES], ids="-to-".join)
def pair(request: pytest.FixtureRequest, tmp_path: Path, new_file: Path) -> tuple[str, str]:
    """The URLs of two stores, in each combination of engines."""
    first, second = request.param
    source = new_url(request, first)
    if second == "sqlite":
        (tmp_path / "target.db").write_bytes(new_file.read_bytes())
        return source, str(tmp_path / "target.db")
    return source, new_url(request, second)


def test_a_merge_brings_everything_exactly_and_again_brings_nothing(pair: tuple[str, str]) -> None:
    with open_store(pair[0]) as source, open_store(pair[1]) as target:
        # Ids that differ from the source's: nothing may be told by them.
        target.start_sweep(replace(SWEEP, id="mine"))
        target.append(record(9999, sweep_id="mine", kernel=replace(KERNEL, name="mine")))
        retention.delete_sweep(target, "mine", "only there to count on")
        fill(source)
        seen: list[tuple[int, int]] = []
        done = merge(source, target, lambda *now: seen.append(now))
        assert done == Merged(60, 0, 2, 1, 9)
        assert seen[-1] == (60, 60)
        assert everything(target) == everything(source)
        assert {e.action for e in audit_log(target)} >= {"tag", "exclude", "merge"}
        before = len(audit_log(target))
        assert merge(source, target) == Merged(0, 60, 0, 0, 0)
        assert len(audit_log(target)) == before, "nothing changed, so nothing is noted"
        assert target.append(record(1, launch=7)), "the target goes on"
        assert everything(source)["sweeps"] == everything(target)["sweeps"]


def test_a_merge_that_was_interrupted_goes_on(
    pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH", 10)
    with open_store(pair[0]) as source, open_store(pair[1]) as target:
        fill(source)

        def stop(done: int, total: int) -> None:
            if done >= 30:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            merge(source, target, stop)
        assert len(list(target.records())) == 30
        assert merge(source, target).known == 30
        assert everything(target) == everything(source)


def test_the_same_identity_with_other_content_is_an_error_that_names_both(
    pair: tuple[str, str],
) -> None:
    with open_store(pair[0]) as source, open_store(pair[1]) as target:
        mine, theirs = record(512), record(512, samples_ms=(7.0,) * 6)
        for store, one in ((source, theirs), (target, mine)):
            store.start_sweep(SWEEP)
            store.append(one)
        with pytest.raises(RecordConflict) as caught:
            merge(source, target)
        for part in (mine.content_key, theirs.content_key, "samples_ms", SWEEP.id):
            assert part in str(caught.value)
        assert [r.content_key for r in target.records()] == [mine.content_key]


def test_two_sweeps_of_one_id_are_an_error_that_names_both(pair: tuple[str, str]) -> None:
    with open_store(pair[0]) as source, open_store(pair[1]) as target:
        source.start_sweep(replace(SWEEP, command="attnbench run other"))
        target.start_sweep(SWEEP)
        with pytest.raises(RecordConflict, match=rf"{SWEEP.command}.*attnbench run other"):
            merge(source, target)


def test_a_record_that_is_pruned_on_one_side_is_one_record(pair: tuple[str, str]) -> None:
    with open_store(pair[0]) as source, open_store(pair[1]) as target:
        for store in (source, target):
            store.start_sweep(SWEEP)
            store.append(record(512))
        retention.prune_samples(source, "9999")
        assert merge(source, target).known == 1
        assert next(target.records()).samples_ms, "what has its samples keeps them"
        assert merge(target, source).known == 1
        assert next(source.records()).summary is not None, "what was pruned stays pruned"


def test_a_sweep_that_went_on_is_brought_up_to_date(url: str, tmp_path: Path) -> None:
    with open_store(url) as source, open_store(str(tmp_path / "t.db"), create=True) as target:
        source.start_sweep(SWEEP)
        source.append(record(1))
        merge(source, target)
        assert target.sweep(SWEEP.id).state == "running"
        source.append(record(2))
        source.finish_sweep(SWEEP.id, "done")
        assert merge(source, target).results == 1
        assert target.sweep(SWEEP.id) == source.sweep(SWEEP.id)
        merge(target, source)
        assert source.sweep(SWEEP.id).state == "done"


def test_a_store_is_not_merged_into_itself(url: str, tmp_path: Path) -> None:
    same = open_store(url, read_only=True)
    with open_store(url) as store, same, pytest.raises(StoreError, match="itself"):
        merge(same, store)


def test_equal_content_written_differently_is_no_conflict(url: str, tmp_path: Path) -> None:
    with open_store(url) as source, open_store(str(tmp_path / "t.db"), create=True) as target:
        for store, number in ((source, 2), (target, 2.0)):
            store.start_sweep(SWEEP)
            store.append(record(duration_s=number))
        assert merge(source, target).known == 1


LEFT_OUT = {"store_info"}
"""Tables that say something of one database alone."""


def test_a_new_table_is_merged_or_said_here_not_to_be() -> None:
    carried = {"tag", "exclusion", "baseline", "triage", "audit", "sweep", "result", "sample"}
    carried |= {table.name for table in FACTS} | {"external_result"}
    assert carried | LEFT_OUT == set(schema.metadata.tables)
