"""SQLite: a file, made, opened, written and asked. Each habit for a reason measured or suffered:

- WAL is set once, when the file is made: setting it on each connect raises "database is locked".
- ``BEGIN IMMEDIATE`` for whoever writes: a transaction that reads and then writes fails at once,
  whatever the busy timeout, when another has written in between.
- ``synchronous=NORMAL``: a commit survives a kill at any instant. A power cut can take the last
  seconds with it (never more, and nothing is damaged): a resume runs them again. FULL would cost
  an fsync a record, 0.3 to 4 ms on ordinary disks.
- A new file is built under another name and linked into place: it is there whole or not at all, and
  of two processes that make it at once, one wins and both go on with it.

(FIELD.md §12, §13.) ``sqlite_files`` is what needs no connection: the file as a file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Insert,
    QueuePool,
    Table,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from harness.errors import StoreError
from harness.store.engine.errors import WAIT_S, said
from harness.store.engine.sqlite_files import backup, exists, left_open, place, require
from harness.store.url import sqlite_path

__all__ = [
    "backup",
    "compact",
    "create",
    "damage",
    "database_id",
    "describe",
    "exists",
    "insert_new",
    "insert_plain",
    "left_open",
    "load_ahead",
    "new_ids",
    "open_engine",
    "require",
    "size_bytes",
]


def open_engine(url: URL, read_only: bool, foreign_keys: bool) -> Engine:
    """An engine on a file that is there."""
    path = sqlite_path(url)
    return _engine(path, _read_mode(path) if read_only else "mode=rw", foreign_keys)


def _engine(path: Path, options: str, foreign_keys: bool) -> Engine:
    target = f"file:{quote(str(path.absolute()))}?{options}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            target,
            uri=True,
            timeout=WAIT_S,
            isolation_level=None,  # transactions begin where `begin` below says so
            check_same_thread=False,  # the pool lends a connection to one thread at a time
        )
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("attnbench_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _read_mode(path: Path) -> str:
    """``mode=ro``, or ``immutable=1`` where the folder can't be written.

    Reading a WAL file needs its -shm file beside it. Where that can't be made, no process can be
    writing either, and the file holds everything, provided that no -wal is left (then StoreError).
    """
    if os.access(path.parent, os.W_OK) or Path(f"{path}-shm").exists():
        return "mode=ro"
    if left_open(URL.create("sqlite", database=str(path))):
        raise StoreError(
            f"{path} can't be read: {path.name}-wal beside it holds what a writer left that didn't "
            "end cleanly, and the folder can't be written; copy both files to one that can"
        )
    return "mode=ro&immutable=1"


def create(url: URL, build: Callable[[Connection], None]) -> None:
    """Make the file; nothing is left if that fails."""
    path = sqlite_path(url)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb"):
            pass  # the system's own error, should the folder refuse files
        engine = _engine(draft, "mode=rw", foreign_keys=True)
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
                connection.rollback()
                raw: Any = connection.connection.dbapi_connection
                raw.execute("PRAGMA journal_mode=WAL")
            with engine.execution_options(attnbench_writes=True).begin() as connection:
                build(connection)
        finally:
            engine.dispose()
        with contextlib.suppress(FileExistsError):
            place(draft, path)
    except OSError as error:
        raise StoreError(
            f"no store can be made at {path}: {error.strerror}; name a file in a folder that can "
            "be written"
        ) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"no store can be made at {path}: {said(error)}") from error
    finally:
        for rest in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.unlink(f"{draft}{rest}")


def insert_new(table: Table) -> Insert:
    """INSERT … ON CONFLICT DO NOTHING."""
    return sqlite.insert(table).on_conflict_do_nothing(index_elements=["key"])


def new_ids(connection: Connection, table: Table, count: int) -> list[int]:
    """Ids after the last one: there is one writer at a time, who may count on."""
    first = (connection.scalar(select(func.max(table.c.id))) or 0) + 1
    return list(range(first, first + count))


def insert_plain(
    connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[tuple[Any, ...]]
) -> None:
    """By executemany of the driver."""
    names = [column.name for column in columns]
    text = columns[0].table.insert().compile(dialect=connection.dialect, column_keys=names)
    connection.exec_driver_sql(str(text), list(rows))


def load_ahead(connection: Connection) -> None:
    """128 MB of cache, and the -wal into the file every 40 MB instead of every 4.

    New rows land all over the indexes of jobs and series: with 2 MB each of their pages is read and
    written for nearly every row. It holds until this connection is closed.
    """
    connection.exec_driver_sql("PRAGMA cache_size=-131072")
    connection.exec_driver_sql("PRAGMA wal_autocheckpoint=10000")


def describe(connection: Connection) -> str:
    """SQLite, with its version."""
    return f"SQLite {sqlite3.sqlite_version}"


def database_id(connection: Connection, url: URL) -> tuple[Any, ...]:
    """The file's place on its disk."""
    facts = os.stat(sqlite_path(url))
    return facts.st_dev, facts.st_ino


def size_bytes(connection: Connection) -> int:
    """The file, what is unused in it too."""
    query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    return int(connection.exec_driver_sql(query).scalar() or 0)


def damage(connection: Connection) -> list[str]:
    """What SQLite's own checks find."""
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
    found = [text for text in found if text != "ok"]
    if found:
        return found  # what a damaged file says of its references means nothing
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [f"{row[0]} row {row[1]} refers to a {row[2]} that isn't there" for row in broken]


def compact(engine: Engine) -> None:
    """VACUUM, and what is in the -wal into the file."""
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.execute("VACUUM")
        raw.execute("ANALYZE")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
