"""Everything in which SQLite and Postgres differ. No other file of the store asks which it is.

SQLite, each for a reason measured or suffered (FIELD.md §12, §13):

- WAL is set once, when the file is made: setting it on each connect raises "database is locked".
- ``BEGIN IMMEDIATE`` for whoever writes: a transaction that reads and then writes fails at once,
  whatever the busy timeout, when another has written in between.
- ``synchronous=NORMAL``: a commit survives a kill at any instant. A power cut can take the last
  seconds with it (never more, and nothing is damaged): a resume runs them again. FULL would cost
  an fsync a record, 0.3 to 4 ms on ordinary disks.
- A new file is built under another name and linked into place: it is there whole or not at all, and
  of two processes that make it at once, one wins and both go on with it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    Connection,
    Engine,
    Insert,
    QueuePool,
    Table,
    create_engine,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from harness.errors import StoreError
from harness.store.url import safe_text, sqlite_path

BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for another one's transaction before it gives up, s."""

_MAGIC = b"SQLite format 3\0"


def is_file(url: URL) -> bool:
    """Whether the store is a file of this machine, and not a server's database."""
    return url.get_backend_name() == "sqlite"


def left_open(url: URL) -> bool:
    """Whether a writer is at work, or ended without closing: to close after it changes the file."""
    if not is_file(url):
        return False
    wal = Path(f"{sqlite_path(url)}-wal")
    return wal.exists() and wal.stat().st_size > 0


@contextlib.contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turn what the database library raises into a StoreError that names the store."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        text = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        raise StoreError(f"{safe_text(url)}: {text}{_advice(text)}") from error


def _advice(text: str) -> str:
    for sign, advice in (
        ("locked", f"another process has been writing to it for {BUSY_TIMEOUT_S:.0f} s: try again"),
        ("malformed", "the file is damaged or cut short: restore a copy of it"),
        ("not a database", "the file is not a SQLite database, or its start is damaged"),
        ("readonly", "it can't be written: check the permissions of the file and its folder"),
        ("is full", "make room on the disk; what was stored before is intact"),
    ):
        if sign in text:
            return f" ({advice})"
    return ""


def open_engine(url: URL, *, read_only: bool = False, foreign_keys: bool = True) -> Engine:
    """An engine on a database that is there; never makes one.

    ``foreign_keys=False`` is for migrations: SQLite rebuilds a table to alter it.
    """
    if not is_file(url):
        return _open_postgres(url, read_only=read_only)
    path = sqlite_path(url)
    return _sqlite_engine(path, _read_mode(path) if read_only else "mode=rw", foreign_keys)


def writing(engine: Engine) -> contextlib.AbstractContextManager[Connection]:
    """A transaction that holds the right to write from its start; committed when left normally."""
    return engine.execution_options(attnbench_writes=True).begin()


def insert_new(connection: Connection, table: Table) -> Insert:
    """An INSERT into a dimension that leaves a row alone whose ``key`` is there already."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=["key"])
    return postgresql.insert(table).on_conflict_do_nothing(index_elements=["key"])


def new_ids(connection: Connection, table: Table, count: int) -> list[int]:
    """Ids for rows that the caller's transaction will insert, so that nothing need be read back.

    SQLite has one writer at a time, who may count on; Postgres hands them out of its sequence.
    """
    if connection.dialect.name == "sqlite":
        first = (connection.scalar(select(func.max(table.c.id))) or 0) + 1
        return list(range(first, first + count))
    sequence = func.nextval(func.pg_get_serial_sequence(table.name, "id"))
    numbers = func.generate_series(1, count).table_valued("n")
    return list(connection.scalars(select(sequence).select_from(numbers)))


def insert_plain(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of plain values, all with the same columns, past Core's work on each value.

    Raises what Core would: IntegrityError where a row is there already.
    """
    order = [column.name for column in table.columns if column.name in rows[0]]
    plain = [tuple(row[name] for name in order) for row in rows]
    if connection.dialect.name == "sqlite":
        text = table.insert().compile(dialect=connection.dialect, column_keys=order)
        connection.exec_driver_sql(str(text), plain)
        return
    from psycopg import Error, sql

    command = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, order))
    )
    raw: Any = connection.connection.driver_connection
    try:
        with raw.cursor() as cursor, cursor.copy(command) as copy:
            for values in plain:
                copy.write_row(values)
    except Error as error:
        raise DBAPIError.instance(
            f"COPY {table.name}", None, error, Error, dialect=connection.dialect
        ) from error


def require(url: URL) -> None:
    """Raise StoreError unless ``url`` can be a store: for SQLite, a file with SQLite's header."""
    if not is_file(url):
        return
    path = sqlite_path(url)
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except FileNotFoundError:
        raise StoreError(
            f"there is no store at {path}: `attnbench run …` makes it with the first sweep"
        ) from None
    except IsADirectoryError:
        raise StoreError(
            f"{path} is a folder: name a file in it, e.g. {path}/attnbench.db"
        ) from None
    except OSError as error:
        raise StoreError(f"the store {path} can't be read: {error.strerror}") from error
    if not start:
        raise StoreError(f"{path} is an empty file, not a store: remove it or name another file")
    if start != _MAGIC:
        raise StoreError(
            f"{path} is not a SQLite database, or its start is damaged: name another file"
        )


def exists(url: URL) -> bool:
    """Whether there is something at ``url`` to open; a server's database always is."""
    return not is_file(url) or os.path.lexists(sqlite_path(url))


def create(url: URL, build: Callable[[Connection], None]) -> None:
    """Make the database and let ``build`` fill it in one transaction; nothing is left if it fails.

    Where another process makes it in the same moment, that one's stays. A server's database exists
    already: there, ``build`` runs in it unless it has tables.
    """
    if is_file(url):
        _create_file(sqlite_path(url), build)
        return
    engine = _open_postgres(url)
    try:
        with translated(url), writing(engine) as connection:
            # One maker at a time; the others wait here and then find the tables.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7022873196)")
            if not inspect(connection).get_table_names():
                build(connection)
    finally:
        engine.dispose()


def _create_file(path: Path, build: Callable[[Connection], None]) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb"):
            pass  # the system's own error, should the folder refuse files
        engine = _sqlite_engine(draft, "mode=rw", foreign_keys=True)
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
                connection.rollback()
                raw: Any = connection.connection.dbapi_connection
                raw.execute("PRAGMA journal_mode=WAL")
            with writing(engine) as connection:
                build(connection)
        finally:
            engine.dispose()
        with contextlib.suppress(FileExistsError):
            _place(draft, path)
    except OSError as error:
        raise StoreError(
            f"no store can be made at {path}: {error.strerror}; name a file in a folder that can "
            "be written"
        ) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"no store can be made at {path}: {error}") from error
    finally:
        for rest in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.unlink(f"{draft}{rest}")


def _place(draft: Path, path: Path) -> None:
    """Give the finished file its name. Raises FileExistsError where the name is taken."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        os.rename(draft, path)


def _sqlite_engine(path: Path, options: str, foreign_keys: bool) -> Engine:
    target = f"file:{quote(str(path.absolute()))}?{options}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            target,
            uri=True,
            timeout=BUSY_TIMEOUT_S,
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


def _open_postgres(url: URL, *, read_only: bool = False) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{safe_text(url)} needs {error.name}: pip install 'attnbench[postgres]'"
        ) from error
    return engine.execution_options(postgresql_readonly=True) if read_only else engine
