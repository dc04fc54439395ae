"""What isn't a store is refused in one clear error, and left exactly as it was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from harness.errors import StoreError
from harness.store import Store, open_store
from tests.store.make import SWEEP, record

ROOT = Path(__file__).parents[2]


def refused(url: Path | str, *, create: bool = True, read_only: bool = False) -> str:
    """The message with which ``url`` is refused; the folder around a path stays as it is."""
    folder = Path(url).parent if "://" not in str(url) else None
    before = _everything(folder)
    with pytest.raises(StoreError) as caught:
        open_store(str(url), create=create, read_only=read_only)
    assert _everything(folder) == before
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


def _everything(folder: Path | None) -> dict[str, bytes]:
    if folder is None or not str(folder).startswith(tempfile.gettempdir()) or not folder.is_dir():
        return {}
    return {p.name: p.read_bytes() if p.is_file() else b"" for p in folder.iterdir()}


@pytest.fixture
def filled(sqlite_store: Store, path: Path) -> Path:
    """The closed file of a store with a few records."""
    sqlite_store.append_many([record(seq) for seq in range(1, 200)])
    sqlite_store.close()
    return path


def test_a_missing_store_is_refused_naming_the_command_that_makes_it(path: Path) -> None:
    assert "attnbench run" in refused(path, create=False)
    assert "attnbench run" in refused(path, read_only=True)


def test_create_makes_folders_and_opens_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x y%20?#.db"
    with open_store(str(path), create=True) as store:
        store.start_sweep(SWEEP)
    with open_store(str(path), create=True) as store:
        assert [s.id for s in store.sweeps()] == [SWEEP.id]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_relative_and_absolute_urls_and_bare_paths_name_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///results/a.db", create=True).close()
    for url in ("results/a.db", "./results/a.db", f"sqlite:///{tmp_path}/results/a.db"):
        open_store(url).close()
    assert [p.name for p in (tmp_path / "results").iterdir()] == ["a.db"]


def test_a_text_file_is_refused(path: Path) -> None:
    path.write_text("model,latency\nflash,1.0\n")
    assert "not a SQLite database" in refused(path)


def test_an_empty_file_is_refused(path: Path) -> None:
    path.touch()
    assert "empty" in refused(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "folder" in refused(tmp_path)


def test_a_path_below_a_file_is_refused(path: Path) -> None:
    path.write_text("x")
    refused(path / "attnbench.db")
    refused(path / "attnbench.db", create=False)


def test_a_folder_that_takes_no_files_is_refused() -> None:
    assert "attnbench.db" in refused("/proc/attnbench.db")
    refused("/proc/results/attnbench.db")


def test_a_dangling_link_is_refused(path: Path) -> None:
    path.symlink_to("nowhere")
    refused(path)


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_another_programs_database_is_refused_unchanged(path: Path, journal: str) -> None:
    foreign = sqlite3.connect(path)
    foreign.execute(f"PRAGMA journal_mode={journal}")
    foreign.execute("CREATE TABLE customers (name)")
    foreign.execute("CREATE TABLE alembic_version (version_num)")
    foreign.commit()
    foreign.close()
    message = refused(path)
    assert "customers" in message
    assert "another program" in message


def test_another_programs_database_left_by_a_crash_is_refused_unchanged(path: Path) -> None:
    crash = (
        "import sqlite3, os; c = sqlite3.connect('attnbench.db', isolation_level=None);"
        "c.execute('PRAGMA journal_mode=wal'); c.execute('CREATE TABLE customers (name)');"
        "c.execute('INSERT INTO customers VALUES (1)'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", crash], cwd=path.parent, check=True)
    before = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    assert before[1], "the crash left its log"
    with pytest.raises(StoreError, match="another program"):
        open_store(str(path), create=True)
    assert (path.read_bytes(), Path(f"{path}-wal").read_bytes()) == before


def test_a_database_without_tables_is_refused(path: Path) -> None:
    empty = sqlite3.connect(path)
    empty.execute("PRAGMA user_version=5")
    empty.close()
    assert "empty" in refused(path)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_truncated_store_is_refused_unchanged(filled: Path, read_only: bool) -> None:
    half = filled.read_bytes()[: filled.stat().st_size // 2]
    filled.write_bytes(half)
    with pytest.raises(StoreError, match="damaged or cut short"):
        open_store(str(filled), create=not read_only, read_only=read_only)
    assert filled.read_bytes() == half


def test_a_store_with_a_damaged_start_is_refused_unchanged(filled: Path) -> None:
    content = bytearray(filled.read_bytes())
    content[100:4096] = os.urandom(3996)
    filled.write_bytes(content)
    with pytest.raises(StoreError, match=str(filled)):
        open_store(str(filled), create=True)
    assert filled.read_bytes() == content


def test_damage_in_the_middle_is_an_error_where_it_is_met_never_a_wrong_record(
    filled: Path,
) -> None:
    content = bytearray(filled.read_bytes())
    for page in range(20, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = os.urandom(64)
    filled.write_bytes(content)
    with pytest.raises(StoreError, match=str(filled)), open_store(str(filled)) as store:
        list(store.records())


def test_a_disk_that_fills_up_is_an_error_and_what_was_stored_stays(filled: Path) -> None:
    with open_store(str(filled)) as store:
        with store.reading() as connection:  # the pool lends this connection to the writer too
            connection.exec_driver_sql("PRAGMA max_page_count=1")
        with pytest.raises(StoreError, match="disk"):
            store.append_many(record(seq, log="x" * 5000) for seq in range(1000, 1100))
    with open_store(str(filled), read_only=True) as store:
        assert len(list(store.records())) == 199


def test_a_store_opened_read_only_cant_be_written(filled: Path) -> None:
    before = filled.read_bytes()
    with open_store(str(filled), read_only=True) as store:
        with pytest.raises(StoreError, match="read-only"):
            store.append(record(7))
        with pytest.raises(StoreError, match="readonly"), store.reading() as connection:
            connection.exec_driver_sql("DELETE FROM sample")
    assert filled.read_bytes() == before


@pytest.fixture
def for_everyone() -> Iterator[Path]:
    """A folder that another user can enter: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)
        os.chmod(folder, 0o755)


AS_NOBODY = """
import os, sys, alembic.command
from harness.errors import StoreError
from harness.store import open_store
os.getuid() or os.setuid(65534)  # root may write everywhere
try:
    with open_store("attnbench.db", create=sys.argv[1] == "write", read_only=sys.argv[1] == "read"):
        print("opened")
except StoreError as error:
    print(error)
"""


def as_nobody(how: str, folder: Path) -> str:
    """What comes of opening attnbench.db of a folder without the right to write everywhere."""
    run = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, how],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_store_is_read_from_a_folder_that_cant_be_written(for_everyone: Path) -> None:
    open_store(str(for_everyone / "attnbench.db"), create=True).close()
    os.chmod(for_everyone, 0o555)
    assert as_nobody("read", for_everyone) == "opened\n"
    assert [p.name for p in for_everyone.iterdir()] == ["attnbench.db"]


def test_what_an_earlier_reader_left_beside_a_store_doesnt_hinder_the_next(
    for_everyone: Path,
) -> None:
    path = for_everyone / "attnbench.db"
    open_store(str(path), create=True).close()
    open_store(str(path), read_only=True).close()  # SQLite's readers can't remove -shm and -wal
    os.chmod(for_everyone, 0o555)
    assert as_nobody("read", for_everyone) == "opened\n"


def test_a_store_left_by_a_crash_is_not_read_short_from_such_a_folder(for_everyone: Path) -> None:
    open_store(str(for_everyone / "attnbench.db"), create=True).close()
    (for_everyone / "attnbench.db-wal").write_bytes(b"committed, but not yet in the file")
    os.chmod(for_everyone, 0o555)
    assert "didn't end cleanly" in as_nobody("read", for_everyone)


def test_writing_a_store_without_the_right_to_is_refused_at_opening(for_everyone: Path) -> None:
    os.chmod(for_everyone, 0o555)
    assert "no store can be made" in as_nobody("write", for_everyone)
    os.chmod(for_everyone, 0o755)
    open_store(str(for_everyone / "attnbench.db"), create=True).close()
    os.chmod(for_everyone / "attnbench.db", 0o444)
    os.chmod(for_everyone, 0o555)
    assert "permissions" in as_nobody("write", for_everyone)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("", "empty"),
        ("mysql://u:secret@h/db", "mysql"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite://results/attnbench.db", "three slashes"),
        ("sqlite:///a.db?mode=ro", "no options"),
        ("postgresql://u:secret@h:port/db", "can't be read"),
        ("a\0b", "NUL"),
    ],
)
def test_a_url_that_names_no_store_is_refused_without_its_password(url: str, part: str) -> None:
    message = refused(url if "://" in url else url or "")
    assert part in message
    assert "secret" not in message


def test_a_password_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.store.url import parse_url, safe_text

    url = parse_url("postgresql://ann:secret@db/bench?sslmode=verify-full&sslpassword=secret")
    assert "secret" not in safe_text(url)
    assert "sslmode=verify-full" in safe_text(url)
    assert url.password == "secret"
    assert url.query["sslpassword"] == "secret"
    assert url.drivername == "postgresql+psycopg"


def test_an_error_of_the_database_names_the_store_and_no_sql(store: Store) -> None:
    with pytest.raises(StoreError) as caught, store.reading() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")
    assert store.safe_url in str(caught.value)
    assert "SELECT" not in str(caught.value)
    assert isinstance(caught.value.__cause__, SQLAlchemyError)


def test_the_store_imports_no_heavy_library() -> None:
    heavy = {"torch", "ray", "pandas", "numpy", "alembic"}
    script = f"import sys, harness.store; print(sorted({heavy} & set(sys.modules)))"
    out = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout == "[]\n"
