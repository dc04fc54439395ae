"""Postgres: a server's database, through psycopg.

A server may be far away, down, or restarted in the middle: a connection is given up after CONNECT_S
without an answer, a dead one is noticed within a minute (the system alone takes hours), and a
writer waits WAIT_S for a lock. What the URL says of these wins. TLS options pass through it too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Engine,
    Insert,
    Table,
    create_engine,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from harness.errors import StoreError
from harness.store.engine.errors import CONNECT_S, WAIT_S, translated
from harness.store.url import safe_text

CONNECT_ARGS: dict[str, Any] = {
    "connect_timeout": CONNECT_S,
    "application_name": "attnbench",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # ms
}
"""libpq's settings, unless the URL says otherwise (postgresql.org/docs, "Parameter Key Words")."""


def left_open(url: URL) -> bool:
    """Never: a server looks after its files."""
    return False


def open_engine(url: URL, read_only: bool, foreign_keys: bool) -> Engine:
    """An engine whose connections are looked at before they are used again."""
    given = {name: value for name, value in CONNECT_ARGS.items() if name not in url.query}
    try:
        engine = create_engine(url, pool_pre_ping=True, connect_args=given)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{safe_text(url)} needs {error.name}: pip install 'attnbench[postgres]'"
        ) from error

    @event.listens_for(engine, "connect")
    def wait(raw: Any, _: Any) -> None:
        # Not by `options`: it would take the place of the URL's, and poolers refuse it.
        statement = "SELECT set_config('lock_timeout', %s, false)"
        with _as_sqlalchemys(statement, engine.dialect):
            raw.execute(statement, (f"{WAIT_S}s",))
            raw.commit()

    if "lock_timeout" in str(url.query.get("options", "")):
        event.remove(engine, "connect", wait)
    return engine.execution_options(postgresql_readonly=True) if read_only else engine


def require(url: URL) -> None:
    """Nothing to look at before connecting."""


def exists(url: URL) -> bool:
    """A server's database always is."""
    return True


def create(url: URL, build: Callable[[Connection], None]) -> None:
    """Let ``build`` fill the database, unless it has tables."""
    engine = open_engine(url, False, True)
    try:
        with translated(url), engine.execution_options(attnbench_writes=True).begin() as connection:
            # One maker at a time; the others wait here and then find the tables.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7022873196)")
            if not inspect(connection).get_table_names():
                build(connection)
    finally:
        engine.dispose()


def insert_new(table: Table) -> Insert:
    """INSERT … ON CONFLICT DO NOTHING."""
    return postgresql.insert(table).on_conflict_do_nothing(index_elements=["key"])


def new_ids(connection: Connection, table: Table, count: int) -> list[int]:
    """Ids out of the table's sequence, which hands each out once, whoever asks."""
    sequence = func.nextval(func.pg_get_serial_sequence(table.name, "id"))
    numbers = func.generate_series(1, count).table_valued("n")
    return list(connection.scalars(select(sequence).select_from(numbers)))


def insert_plain(
    connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[tuple[Any, ...]]
) -> None:
    """By COPY, three times the speed of INSERT; binary, where a row costs us 4 µs and not 15."""
    from psycopg import sql

    table = columns[0].table.name
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table), sql.SQL(", ").join(sql.Identifier(c.name) for c in columns)
    )
    raw: Any = connection.connection.driver_connection
    try:
        with (
            _as_sqlalchemys(f"COPY {table}", connection.dialect),
            raw.cursor() as cursor,
            cursor.copy(command) as copy,
        ):
            copy.set_types([str(c.type.compile(connection.dialect)).lower() for c in columns])
            for values in rows:
                copy.write_row(values)
    except (TypeError, ValueError, OverflowError) as error:  # a value of another type
        raise StoreError(f"a row of {table} can't be stored: {error}") from error


def load_ahead(connection: Connection) -> None:
    """Nothing: a server has its own plans."""


@contextlib.contextmanager
def _as_sqlalchemys(statement: str, dialect: Dialect) -> Iterator[None]:
    """What psycopg raises past SQLAlchemy, as SQLAlchemy would have raised it."""
    from psycopg import Error

    try:
        yield
    except Error as error:
        raise DBAPIError.instance(statement, None, error, Error, dialect=dialect) from error


def describe(connection: Connection) -> str:
    """Postgres, with its version."""
    return f"Postgres {connection.exec_driver_sql('SHOW server_version').scalar()}"


def database_id(connection: Connection, url: URL) -> tuple[Any, ...]:
    """The server's own identifier, and the database's name."""
    query = "SELECT system_identifier::text, current_database() FROM pg_control_system()"
    return tuple(connection.exec_driver_sql(query).one())


def size_bytes(connection: Connection) -> int:
    """The database with its indexes."""
    return int(connection.scalar(select(func.pg_database_size(func.current_database()))) or 0)


def damage(connection: Connection) -> list[str]:
    """None: the server sees to that."""
    return []


def compact(engine: Engine) -> None:
    """VACUUM, outside a transaction."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def backup(url: URL, target: Path) -> int:
    """Refused: that is pg_dump's work."""
    raise StoreError(
        f"{safe_text(url)}: a server's database is copied by pg_dump, or into a file by "
        f"`attnbench store merge {safe_text(url)} --store {target}`"
    )
