"""Tags, exclusions, baselines, pruning, deletion: what they change and keep, and what is logged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from harness.analysis.query import results
from harness.errors import StoreError
from harness.model import Record, Status
from harness.store import Store, annotations, open_store, retention, schema
from harness.store.audit import audit_log
from harness.store.selection import Selection
from tests.store.make import KERNEL, SWEEP, failure, record

OTHER = replace(SWEEP, id="20260302-030405-abcdef", started_at="2026-03-02T03:04:05.000000+00:00")
HOSTILE = 'it\'s <b>"late"</b>; DROP TABLE tag; -- \u202eשלום'


@pytest.fixture
def filled(store: Store) -> Store:
    """Two sweeps: two kernels in the first one, a job that never reached a device in the second."""
    store.start_sweep(OTHER)
    slow = replace(KERNEL, name="eager")
    store.append_many(
        [record(seq, kernel=kernel) for seq in (512, 1024) for kernel in (KERNEL, slow)]
        + [record(seq, sweep_id=OTHER.id, started_at="2026-03-02T04:00:00") for seq in (512, 1024)]
        + [failure(2048, Status.LOST, sweep_id=OTHER.id, started_at="")]
    )
    return store


def rows(store: Store, table: schema.Table) -> int:
    with store.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def test_a_sweep_is_tagged_once_and_untagged_and_both_are_logged(filled: Store) -> None:
    assert annotations.tag(filled, SWEEP.id, HOSTILE, "first of the year")
    assert not annotations.tag(filled, SWEEP.id, HOSTILE)
    assert annotations.tag(filled, SWEEP.id, "a")
    assert annotations.tag(filled, OTHER.id, "a")
    assert annotations.tags(filled) == {SWEEP.id: sorted(["a", HOSTILE]), OTHER.id: ["a"]}
    annotations.untag(filled, SWEEP.id, HOSTILE, "typo")
    assert annotations.tags(filled)[SWEEP.id] == ["a"]
    log = audit_log(filled)
    assert [entry.action for entry in log] == ["tag", "tag", "tag", "untag"]
    assert log[0].details == {"tag": HOSTILE}
    assert log[0].reason == "first of the year"
    assert all(entry.at > "2026" and "@" in entry.actor for entry in log)
    assert [entry.action for entry in audit_log(filled, limit=1)] == ["untag"]


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "x" * 3000])
def test_a_tag_that_is_none_is_refused(filled: Store, name: str) -> None:
    with pytest.raises(StoreError):
        annotations.tag(filled, SWEEP.id, name)
    assert audit_log(filled) == []


def test_tags_of_unknown_sweeps_and_unknown_tags_are_refused_suggesting_one(filled: Store) -> None:
    annotations.tag(filled, SWEEP.id, "release")
    with pytest.raises(StoreError, match="release"):
        annotations.untag(filled, SWEEP.id, "releese")
    with pytest.raises(StoreError, match=SWEEP.id):
        annotations.tag(filled, SWEEP.id[:-1], "x")


def test_an_excluded_result_is_kept_and_ignored_by_analysis_until_it_is_included(
    filled: Store,
) -> None:
    which = Selection(sweep=SWEEP.id, kernel="sdpa*")
    assert annotations.exclude(filled, which, HOSTILE) == 2
    assert len(list(filled.records())) == 7
    assert len(results(filled)) == 5
    everything = results(filled, excluded=True)
    assert list(everything["excluded"].dropna()) == [HOSTILE] * 2
    assert annotations.exclude(filled, which, "a better reason") == 2
    assert set(results(filled, excluded=True)["excluded"].dropna()) == {"a better reason"}
    assert not filled.append(record()), "it is still known"
    assert annotations.include(filled, Selection(kernel="sdpa_flash", sweep=SWEEP.id)) == 2
    assert len(results(filled)) == 7
    assert [(e.action, e.details["results"]) for e in audit_log(filled)] == [
        ("exclude", 2),
        ("exclude", 2),
        ("include", 2),
    ]


@pytest.mark.parametrize(
    ("which", "count"),
    [
        ({"job": record().job_key}, 2),
        ({"job": record().job_key[:12]}, 2),
        ({"job": "%"}, 0),
        ({"series": record().series_key}, 2),
        ({"gpu": "h200", "sweep": OTHER.id}, 3),
        ({"device": "NVIDIA*"}, 6),
        ({"launch": 0}, 7),
        ({"launch": 1}, 0),
        ({"kernel": "none"}, 0),
        ({"sweep": "none"}, 0),
        ({}, 0),
    ],
    ids=str,
)
def test_a_selection_means_what_matches_all_of_it_and_never_everything(
    filled: Store, which: dict[str, object], count: int
) -> None:
    chosen = Selection(**which)  # type: ignore[arg-type]
    if count:
        assert annotations.exclude(filled, chosen, "test") == count
    else:
        with pytest.raises(StoreError):
            annotations.exclude(filled, chosen, "test")
        assert rows(filled, schema.exclusion) == 0
        assert audit_log(filled) == []


def test_what_changes_history_needs_a_reason(filled: Store) -> None:
    which = Selection(sweep=SWEEP.id)
    for call in (
        lambda: annotations.exclude(filled, which, " "),
        lambda: annotations.reset_baseline(filled, which, ""),
        lambda: retention.delete_sweep(filled, SWEEP.id, ""),
    ):
        with pytest.raises(StoreError, match="reason"):
            call()


def test_a_baseline_is_reset_for_each_series_once(filled: Store) -> None:
    which = Selection(kernel="sdpa_flash")
    for _ in range(2):
        assert annotations.reset_baseline(filled, which, "new driver", "2026-02-01") == 2
    assert annotations.reset_baseline(filled, Selection(kernel="eager"), "compiler") == 2
    with filled.reading() as connection:
        b, s = schema.baseline.c, schema.series.c
        found = connection.execute(
            select(s.key, b.starts_at, b.reason).join(schema.series).order_by(b.id)
        ).all()
    assert len(found) == 4
    assert {(row.starts_at, row.reason) for row in found if row.reason == "new driver"} == {
        ("2026-02-01", "new driver")
    }
    assert all(row.starts_at > "2026-02-01" for row in found if row.reason == "compiler")
    with pytest.raises(StoreError, match="no series"):
        annotations.reset_baseline(
            filled, Selection(job=failure(2048).job_key, sweep=OTHER.id), "never ran"
        )


def test_pruned_results_keep_their_summary_and_are_the_same_records(filled: Store) -> None:
    before = {r.key: r for r in filled.records()}
    assert retention.prunable(filled, "2026-02-01") == (4, 4 * 7 * 8)
    assert retention.prune_samples(filled, "2026-02-01", "space") == (4, 4 * 7 * 8)
    assert retention.prunable(filled, "2026-02-01") == (0, 0)
    after = list(filled.records())
    pruned = [r for r in after if r.summary is not None]
    assert len(pruned) == 4
    assert all(r.sweep_id == SWEEP.id and not r.samples_ms for r in pruned)
    for one in after:
        old = before[one.key]
        assert one.content_key == old.content_key
        assert one.median_ms == old.median_ms
        assert one.interval_ms == old.interval_ms
        assert one.sample_count == old.sample_count
        assert Record.from_dict(one.to_dict()) == one
    assert filled.append_many(before.values()) == 0, "delivered again, it is known"
    assert filled.append_many(after) == 0
    assert [e.details for e in audit_log(filled)] == [{"results": 4, "bytes": 224}]
    assert retention.prune_samples(filled, "2026-02-01", "again") == (0, 0)
    assert len(audit_log(filled)) == 1, "nothing happened, so nothing is noted"


def test_a_pruned_record_is_stored_elsewhere_as_what_it_is(filled: Store, tmp_path) -> None:
    retention.prune_samples(filled, "9999")
    with open_store(str(tmp_path / "other.db"), create=True) as other:
        for sweep in filled.sweeps():
            other.start_sweep(sweep)
        assert other.append_many(filled.records()) == 7
        assert [r.to_dict() for r in other.records()] == [r.to_dict() for r in filled.records()]


def test_a_deleted_sweep_takes_all_that_hangs_on_it_and_nothing_else(filled: Store) -> None:
    annotations.tag(filled, SWEEP.id, "old")
    annotations.tag(filled, OTHER.id, "new")
    annotations.exclude(filled, Selection(sweep=SWEEP.id), "noise")
    assert retention.delete_sweep(filled, SWEEP.id, "measured on the wrong box") == 4
    assert [s.id for s in filled.sweeps()] == [OTHER.id]
    assert len(list(filled.records())) == 3
    assert annotations.tags(filled) == {OTHER.id: ["new"]}
    assert rows(filled, schema.sample) == 2
    assert rows(filled, schema.exclusion) == 0
    last = audit_log(filled)[-1]
    assert (last.action, last.reason) == ("delete-sweep", "measured on the wrong box")
    assert last.details == {"results": 4, "command": SWEEP.command}
    with pytest.raises(StoreError, match="no sweep"):
        retention.delete_sweep(filled, SWEEP.id, "again")


def test_a_read_only_store_takes_no_annotation(url: str) -> None:
    with open_store(url) as store:
        store.start_sweep(SWEEP)
    with open_store(url, read_only=True) as store, pytest.raises(StoreError, match="read-only"):
        annotations.tag(store, SWEEP.id, "x")


def test_a_change_and_its_entry_in_the_log_are_both_there_or_neither(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StoreError("planted")

    monkeypatch.setattr(retention, "note", fail)
    with pytest.raises(StoreError, match="planted"):
        retention.delete_sweep(filled, SWEEP.id, "reason")
    assert len(list(filled.records(SWEEP.id))) == 4
