"""Everything in which SQLite and Postgres differ. No other file of the store asks which it is.

``backend.Backend`` is what an engine must do; ``sqlite`` (with ``sqlite_files``) and ``postgres``
do it. The functions here choose between them, by URL or by connection.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Insert, Table
from sqlalchemy.engine import URL

from harness.store.engine import postgres, sqlite
from harness.store.engine.backend import Backend
from harness.store.engine.errors import dropped, passing, translated
from harness.store.engine.sqlite_files import network_file_system

__all__ = [
    "backup",
    "compact",
    "create",
    "damage",
    "database_id",
    "describe",
    "dropped",
    "exists",
    "insert_new",
    "insert_plain",
    "is_file",
    "left_open",
    "load_ahead",
    "network_file_system",
    "new_ids",
    "open_engine",
    "passing",
    "require",
    "size_bytes",
    "translated",
    "writing",
]


def is_file(url: URL) -> bool:
    """Whether the store is a file of this machine, and not a server's database."""
    return url.get_backend_name() == "sqlite"


def _at(url: URL) -> Backend:
    return sqlite if is_file(url) else postgres


def _of(connection: Connection) -> Backend:
    return sqlite if connection.dialect.name == "sqlite" else postgres


def left_open(url: URL) -> bool:
    """Whether a writer is at work, or ended without closing: to close after it changes the file."""
    return _at(url).left_open(url)


def open_engine(url: URL, *, read_only: bool = False, foreign_keys: bool = True) -> Engine:
    """An engine on a database that is there; never makes one.

    ``foreign_keys=False`` is for migrations: SQLite rebuilds a table to alter it.
    """
    return _at(url).open_engine(url, read_only, foreign_keys)


def writing(engine: Engine) -> contextlib.AbstractContextManager[Connection]:
    """A transaction that holds the right to write from its start; committed when left normally."""
    return engine.execution_options(attnbench_writes=True).begin()


def require(url: URL) -> None:
    """Raise StoreError unless ``url`` can be a store: for SQLite, a file with SQLite's header."""
    _at(url).require(url)


def exists(url: URL) -> bool:
    """Whether there is something at ``url`` to open; a server's database always is."""
    return _at(url).exists(url)


def create(url: URL, build: Callable[[Connection], None]) -> None:
    """Make the database and let ``build`` fill it in one transaction; nothing is left if it fails.

    Where another process makes it in the same moment, that one's stays. A server's database exists
    already: there, ``build`` runs in it unless it has tables.
    """
    _at(url).create(url, build)


def insert_new(connection: Connection, table: Table) -> Insert:
    """An INSERT into a dimension that leaves a row alone whose ``key`` is there already."""
    return _of(connection).insert_new(table)


def new_ids(connection: Connection, table: Table, count: int) -> list[int]:
    """Ids for rows that the caller's transaction will insert, so that nothing need be read back."""
    return _of(connection).new_ids(connection, table, count)


def insert_plain(
    connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows of plain values, those of ``columns`` in order, past Core's work on each value.

    Raises what Core would: IntegrityError where a row is there already.
    """
    if rows:
        _of(connection).insert_plain(connection, columns, rows)


def load_ahead(connection: Connection) -> None:
    """Prepare a transaction's connection for many rows to come, in many transactions."""
    _of(connection).load_ahead(connection)


def describe(connection: Connection) -> str:
    """The engine with its version."""
    return _of(connection).describe(connection)


def database_id(connection: Connection, url: URL) -> tuple[Any, ...]:
    """The same for two connections to one database, whatever their URLs look like."""
    return _at(url).database_id(connection, url)


def size_bytes(connection: Connection) -> int:
    """What the database takes on disk."""
    return _of(connection).size_bytes(connection)


def damage(connection: Connection) -> list[str]:
    """What the engine itself finds wrong with the file; Postgres sees to that on its own."""
    return _of(connection).damage(connection)


def compact(engine: Engine) -> None:
    """Give unused space back and bring the planner's statistics up to date."""
    (sqlite if engine.dialect.name == "sqlite" else postgres).compact(engine)


def backup(url: URL, target: Path) -> int:
    """Copy a store, while others may be writing to it, to a new file; its size in bytes.

    Raises:
        StoreError: Postgres (the message says what to do), ``target`` is there already, or can't be
            written.
    """
    return _at(url).backup(url, target)
