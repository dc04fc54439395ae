"""info, check, vacuum, backup."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from harness.errors import AttnbenchWarning, StoreError
from harness.model import Status
from harness.store import Store, engine, open_store, retention, schema
from harness.store.annotations import exclude, tag
from harness.store.selection import Selection
from harness.store.upkeep import backup, check, info, vacuum
from harness.store.url import parse_url
from tests.store.make import KERNEL, SWEEP, failure, record

OTHER = replace(SWEEP, id="20260302-030405-abcdef", started_at="2026-03-02T03:04:05.000000+00:00")


@pytest.fixture
def filled(store: Store) -> Store:
    store.start_sweep(OTHER)
    store.append_many([record(seq) for seq in range(1, 40)])
    only_here = replace(KERNEL, name="only-in-the-other")
    store.append(record(7777, sweep_id=OTHER.id, kernel=only_here, started_at="2026-03-02T04:00"))
    store.append(failure(2048, Status.TIMEOUT))
    return store


def test_info_counts_what_is_there(filled: Store) -> None:
    tag(filled, SWEEP.id, "x")
    exclude(filled, Selection(job=record(7).job_key), "noise")
    retention.prune_samples(filled, "2026-02")
    found = info(filled)
    assert (found.sweeps, found.results, found.with_samples, found.pruned) == (2, 41, 1, 39)
    assert (found.excluded, found.tags, found.series, found.changes) == (1, 1, 40, 3)
    assert found.schema == schema.HEAD
    assert found.engine.split()[0] in ("SQLite", "Postgres")
    assert found.size_bytes > 50_000
    assert (found.first, found.last) == (SWEEP.started_at, OTHER.started_at)


def test_info_of_a_store_without_a_sweep(url: str) -> None:
    with open_store(url, read_only=True) as store:
        found = info(store)
    assert (found.sweeps, found.results, found.pruned, found.first) == (0, 0, 0, "")


def test_check_finds_nothing_in_a_good_store(filled: Store) -> None:
    retention.prune_samples(filled, "2026-02")
    seen: list[tuple[int, int]] = []
    assert check(filled, deep=True, progress=lambda *now: seen.append(now)) == []
    assert seen[-1] == (41, 41)


def test_check_names_the_result_whose_samples_or_figures_are_wrong(filled: Store) -> None:
    r, s = schema.result.c, schema.sample
    with filled.writing() as connection:
        connection.execute(update(schema.result).where(r.id == 3).values(median_ms=9.5))
        connection.execute(update(schema.result).where(r.id == 4).values(status="nonsense"))
    assert check(filled) == []
    found = check(filled, deep=True)
    assert [line.split(":")[0] for line in found] == ["result 3", "result 4"]
    assert "9.5" in found[0]
    assert "nonsense" in found[1]
    with filled.writing() as connection:
        connection.execute(update(s).where(s.c.result_id == 5).values(times_ms=b"12345678"))
    assert check(filled) == ["result 5: its samples are cut short"]


def test_check_finds_a_damaged_file_and_lost_references(sqlite_store: Store, path: Path) -> None:
    sqlite_store.append_many([record(seq) for seq in range(1, 200)])
    sqlite_store.close()
    content = bytearray(path.read_bytes())
    content[-3 * 4096 : -2 * 4096 - 2048] = b"\x07" * 2048
    path.write_bytes(content)
    with open_store(str(path), read_only=True) as store:
        assert check(store)


def test_vacuum_drops_what_nothing_refers_to_and_gives_space_back(filled: Store) -> None:
    retention.delete_sweep(filled, OTHER.id, "test")
    first = list(filled.records())
    rows, _ = vacuum(filled)
    assert rows == 4  # kernel, problem, job, series
    assert vacuum(filled)[0] == 0
    assert [r.to_dict() for r in filled.records()] == [r.to_dict() for r in first]
    filled.start_sweep(OTHER)
    only_here = replace(KERNEL, name="only-in-the-other")
    again = record(7777, sweep_id=OTHER.id, kernel=only_here)
    assert filled.append(again), "this very process forgets the ids that the vacuum dropped"
    retention.delete_sweep(filled, SWEEP.id, "test")
    retention.delete_sweep(filled, OTHER.id, "test")
    assert vacuum(filled)[0] > 40
    with filled.reading() as connection:
        assert connection.execute(schema.problem.select()).all() == []


def test_a_process_that_remembers_what_another_one_vacuumed_stores_it_anew(url: str) -> None:
    with open_store(url) as store, open_store(url) as other:
        store.start_sweep(SWEEP)
        store.start_sweep(OTHER)
        store.append(record(sweep_id=OTHER.id))
        retention.delete_sweep(other, OTHER.id, "test")
        assert vacuum(other)[0] == 10
        assert store.append(record())
        assert [r.to_dict() for r in other.records()] == [record().to_dict()]


def test_a_backup_is_whole_while_another_one_writes(sqlite_store: Store, tmp_path: Path) -> None:
    sqlite_store.append_many([record(seq) for seq in range(1, 60)])  # in the -wal still
    copy = tmp_path / "sub" / "copy.db"
    with open_store(str(tmp_path / "attnbench.db"), read_only=True) as reader:
        assert backup(reader, copy) == copy.stat().st_size
        with pytest.raises(StoreError, match="already"):
            backup(reader, copy)
    with open_store(str(copy)) as store:
        assert [r.to_dict() for r in store.records()] == [
            r.to_dict() for r in sqlite_store.records()
        ]
        assert store.append(record(1000))
    assert [p.name for p in copy.parent.iterdir()] == ["copy.db"]
    with pytest.raises(StoreError, match="no backup"):
        backup(sqlite_store, Path("/proc/copy.db"))


def test_a_servers_database_is_backed_up_by_other_means(postgres, tmp_path: Path) -> None:
    server = open_store(postgres.store(), read_only=True)
    with server as store, pytest.raises(StoreError, match="pg_dump"):
        backup(store, tmp_path / "copy.db")


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/data/team/x", "nfs4"), ("/data/team", "nfs4"), ("/data/teamwork", None), ("/other", None)],
)
def test_a_store_on_a_network_file_system_is_known(
    tmp_path: Path, folder: str, kind: str | None
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\nbox:/x /data/team nfs4 rw 0 0\nbox:/y /mnt/a\\040b cifs rw 0 0\n"
    )
    assert engine.network_file_system(parse_url(f"{folder}/a.db"), mounts) == kind
    assert engine.network_file_system(parse_url("/mnt/a b/a.db"), mounts) == "cifs"
    assert engine.network_file_system(parse_url("/mnt/a.db"), tmp_path / "none") is None


def test_writing_on_a_network_file_system_is_warned_of_and_reading_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "network_file_system", lambda url: "nfs4")
    path = tmp_path / "a.db"
    with pytest.warns(AttnbenchWarning, match=r"a\.db lies on a network file system \(nfs4\)"):
        open_store(str(path), create=True).close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_store(str(path), read_only=True).close()
