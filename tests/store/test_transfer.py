"""Export and import: an exact round trip in both formats, on both engines; what is bad is named."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.errors import ImportFailed, RecordConflict, StoreError
from harness.model import External, Record, Status
from harness.store import Store, open_store
from harness.store.audit import audit_log
from harness.store.transfer import Counts, export_store, import_export, importing, is_export
from harness.store.transfer.columns import _columns
from tests.store.make import SWEEP, failure, record
from tests.store.test_merge import EXTERNAL, OTHER, everything, fill

FORMATS = ("jsonl", "parquet")
NASTY = "'; DROP TABLE result; -- <b>&amp;</b> \u202ertl\u2028 \U0001f600 \t\r\n" + "x" * 100_000


@pytest.fixture(params=FORMATS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where an export goes: its name says the format."""
    return tmp_path / ("all.jsonl" if request.param == "jsonl" else "all")


@pytest.fixture
def other(new_file: Path, tmp_path: Path) -> str:
    """The URL of a second, empty store."""
    return str(shutil.copyfile(new_file, tmp_path / "other.db"))


def test_a_round_trip_is_exact_and_again_brings_nothing(
    url: str, target: Path, other: str, tmp_path: Path
) -> None:
    with open_store(url) as store, open_store(other) as second:
        fill(store)
        store.append(failure(8888, Status.ERROR, reason=NASTY, log=NASTY))
        store.append(record(6, launch=9, conditions=(("a", -0.0), ("b", 1e-320), ("c", NASTY))))
        seen: list[tuple[int, int]] = []
        done = export_store(store, target, progress=lambda *now: seen.append(now))
        assert done == Counts(2, 62, 1, done.annotations)
        assert seen[-1] == (62, 62)
        assert is_export(target)
        assert [p.name for p in tmp_path.iterdir() if ".new" in p.name] == []
        assert import_export(target, second, lambda *now: seen.append(now)) == done
        assert seen[-1] == (62, 62)
        assert everything(second) == everything(store)
        assert any(one.summary for one in second.records()), "a pruned one stays one"
        log = audit_log(second)
        assert {entry.action for entry in log} >= {"tag", "exclude", "import"}
        assert import_export(target, second) == Counts()
        assert len(audit_log(second)) == len(log), "nothing changed, so nothing is noted"
        back = tmp_path / f"back{target.suffix}"
        export_store(second, back)
        assert import_export(back, store) == Counts(annotations=1), "the entry of the import"


def test_sqlite_to_postgres_and_back(postgres, target: Path, other: str, tmp_path: Path) -> None:
    with open_store(other) as lite, open_store(postgres.store()) as server:
        fill(lite)
        export_store(lite, target)
        import_export(target, server)
        assert everything(server) == everything(lite)


def test_some_sweeps_come_with_what_belongs_to_them(url: str, target: Path, other: str) -> None:
    with open_store(url) as store, open_store(other) as second:
        fill(store)
        done = export_store(store, target, sweeps=[OTHER.id])
        assert done == Counts(sweeps=1, records=1, annotations=2), "its baseline and triage"
        import_export(target, second)
        assert [s.id for s in second.sweeps()] == [OTHER.id]
        assert list(second.records()) == list(store.records(OTHER.id))
        with pytest.raises(StoreError, match="no sweep 'none'"):
            export_store(store, target.with_name("b") / "c", sweeps=["none"])
    assert not target.with_name("b").exists()


def test_an_import_that_was_interrupted_goes_on(
    url: str, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    with open_store(other) as store, open_store(url) as second:
        fill(store)
        export_store(store, target)

        def stop(done: int, total: int) -> None:
            if done >= 30:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            import_export(target, second, stop)
        assert len(list(second.records())) == 30
        assert import_export(target, second).records == 30
        assert everything(second) == everything(store)


def test_other_content_under_one_identity_is_an_error(
    sqlite_store: Store, target: Path, other: str
) -> None:
    sqlite_store.append(record(512))
    export_store(sqlite_store, target)
    with open_store(other) as second:
        second.start_sweep(SWEEP)
        second.append(record(512, samples_ms=(7.0,) * 6))
        with pytest.raises(RecordConflict, match="samples_ms"):
            import_export(target, second)


def test_an_export_doesnt_overwrite(sqlite_store: Store, target: Path) -> None:
    target.write_text("mine")
    with pytest.raises(StoreError, match="there already"):
        export_store(sqlite_store, target)
    assert target.read_text() == "mine"
    with pytest.raises(StoreError, match="no export can be written"):
        export_store(sqlite_store, Path("/proc/x.jsonl"))
    with pytest.raises(StoreError, match="jsonl and parquet"):
        export_store(sqlite_store, target.with_name("b"), "xml")


def test_parquet_has_a_column_a_field(sqlite_store: Store, tmp_path: Path) -> None:
    sqlite_store.append(record(512))
    export_store(sqlite_store, tmp_path / "x")
    frame = pq.read_table(tmp_path / "x" / "records.parquet").to_pandas()
    assert set(frame.columns) == set(Record.__dataclass_fields__)
    assert list(frame.samples_ms[0]) == list(record().samples_ms)
    assert json.loads(frame.kernel[0])["name"] == "sdpa_flash"
    kinds = {frame[name].dtype.kind for name in ("launch", "duration_s", "setup_ms")}
    assert kinds == {"i", "f"}
    assert _columns(External)["values"] == "floats"


def lines(sqlite_store: Store, tmp_path: Path) -> tuple[Path, list[str]]:
    sqlite_store.append_many([record(1), record(2)])
    path = tmp_path / "x.jsonl"
    export_store(sqlite_store, path)
    return path, path.read_text().splitlines()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ls: ls[:-1], "cut short"),
        (lambda ls: [*ls[:-1], ls[-1][:20]], "cut short"),
        (lambda ls: [ls[0], *ls[2:]], "no sweep"),
        (lambda ls: [*ls[:3], *ls[4:]], "says that it holds"),
        (lambda ls: [*ls[:2], ls[2].replace("sweep_id", "sweep"), *ls[3:]], "line 3"),
        (lambda ls: [*ls[:2], ls[2][:99], *ls[3:]], "line 3"),
        (lambda ls: [*ls[:2], '{"record":7}', *ls[3:]], "line 3"),
        (lambda ls: [*ls[:2], '{"tag":{"sweep":1}}', *ls[3:]], "line 3"),
        (lambda ls: [*ls[:2], '{"cookie":{}}', *ls[3:]], "'cookie'"),
        (lambda ls: [ls[0], '{"sweep":{"overrides":[]}}', *ls[2:]], "line 2"),
        (lambda ls: [ls[0].replace('"version":2', '"version":3'), *ls[1:]], "newer than 2"),
        (lambda ls: [ls[0].replace('"version":2', '"version":"x"'), *ls[1:]], "no version"),
    ],
)
def test_what_cant_be_read_is_named(
    sqlite_store: Store, tmp_path: Path, other: str, change, message: str
) -> None:
    path, content = lines(sqlite_store, tmp_path)
    path.write_text("\n".join(change(content)) + "\n")
    with open_store(other) as second, pytest.raises((ImportFailed, StoreError)) as caught:
        import_export(path, second)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(
    sqlite_store: Store, tmp_path: Path, other: str
) -> None:
    path, _ = lines(sqlite_store, tmp_path)
    path.write_bytes(path.read_bytes().replace(b"llama", b"ll\xffma", 1))
    with (
        open_store(other) as second,
        pytest.raises((ImportFailed, StoreError), match=r"x.jsonl|Unicode"),
    ):
        import_export(path, second)
    with open_store(other) as second:
        assert list(second.records()) == []


def test_what_isnt_there_or_no_export_is_named(tmp_path: Path, other: str) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "folder").mkdir()
    for name in ("none.jsonl", "empty.jsonl", "folder"):
        with open_store(other) as second, pytest.raises(ImportFailed, match=name):
            import_export(tmp_path / name, second)


@pytest.mark.parametrize("damage", ["missing", "garbage", "manifest"])
def test_a_damaged_parquet_export_is_named(
    sqlite_store: Store, tmp_path: Path, other: str, damage: str
) -> None:
    sqlite_store.append(record(1))
    folder = tmp_path / "x"
    export_store(sqlite_store, folder)
    records = folder / "records.parquet"
    if damage == "missing":
        records.unlink()
    elif damage == "garbage":
        records.write_bytes(records.read_bytes()[:200])
    else:
        (folder / "manifest.json").write_text("{")
    with open_store(other) as second, pytest.raises(ImportFailed) as caught:
        import_export(folder, second)
    assert str(folder) in str(caught.value)


def test_the_first_version_of_the_format_is_read_for_ever(url: str) -> None:
    """Files as version 1 wrote them: what reads them may change, they never do."""
    for old in (OLD / "v1.jsonl", OLD / "v1"):
        with open_store(url) as store:
            counts = import_export(old, store)
            assert counts in (Counts(), Counts(2, 4, 1, 6))
            assert len(list(store.records())) == 4
            assert list(store.externals()) == [replace(EXTERNAL)]


OLD = Path(__file__).parent / "old"
