"""The schema's version: made, checked at every opening, and brought up to date by Alembic.

Checking needs no Alembic (0.13 s to import): revisions are numbers, ``0001``, ``0002`` …
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, column, insert, inspect, select, table, update
from sqlalchemy.engine import URL

import harness
from harness.errors import SchemaMismatch, StoreError
from harness.store import engine as engines
from harness.store.audit import note
from harness.store.schema import HEAD, VERSION_TABLE, store_info
from harness.store.schema import audit as audit_table
from harness.store.url import parse_url, safe_text

FOLDER = Path(__file__).parent / "migrations"
"""Alembic's environment; travels in the wheel."""


def build(connection: Connection, revision: str = "") -> None:
    """Make every table in an empty database, or bring an older schema up to date.

    ``revision`` (default: the newest) may be older than what is there: then what is newer is
    dropped, with what it holds. Runs in the caller's transaction: all of it happens, or nothing.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    wanted = revision or HEAD
    if (_noted(connection) or "") > wanted:
        command.downgrade(config, wanted)
    else:
        command.upgrade(config, wanted)
    writer = {"value": harness.__version__}
    changed = connection.execute(
        update(store_info).where(store_info.c.name == "schema_writer").values(writer)
    )
    if not changed.rowcount:
        connection.execute(insert(store_info).values(name="schema_writer", **writer))


def revision_of(connection: Connection, url: URL) -> str | None:
    """The schema's revision; None for a database without any table.

    Raises:
        StoreError: it has tables, but they are not attnbench's.
    """
    noted = _noted(connection)
    if noted is not None:
        return noted
    names = inspect(connection).get_table_names()
    if names:
        some = ", ".join(sorted(names)[:3])
        raise StoreError(
            f"{safe_text(url)} is another program's database (it has the tables {some}…), not an "
            "attnbench store: name another file or database"
        )
    return None


def check(connection: Connection, url: URL) -> None:
    """Raise unless the schema is the one that this attnbench reads and writes.

    Raises:
        SchemaMismatch: an older or a newer schema; the message names the way out.
        StoreError: not an attnbench store.
    """
    found = revision_of(connection, url)
    if found is None:
        raise StoreError(
            f"{safe_text(url)} has no tables yet: `attnbench run …` with this store makes them"
            if not engines.is_file(url)
            else f"{safe_text(url)} is an empty database, not a store: remove it or name another"
        )
    if found == HEAD:
        return
    if _newer(found):
        info = store_info.c
        writer = connection.scalar(select(info.value).where(info.name == "schema_writer"))
        raise SchemaMismatch(
            f"{safe_text(url)} has schema {found}, newer than {HEAD}, the newest that attnbench "
            f"{harness.__version__} knows: install a newer attnbench ({writer} or later)"
        )
    raise SchemaMismatch(
        f"{safe_text(url)} has schema {found}, older than {HEAD}: run "
        f"`attnbench store upgrade {safe_text(url)}` (keep a copy first)"
    )


def upgrade(url: str) -> str:
    """Bring a store's schema up to date, in one transaction; returns what was done, in words.

    An up-to-date store is left as it is. Other processes may have the store open: they wait.

    Raises:
        SchemaMismatch: the schema is newer than this attnbench.
        StoreError: no store there, not a store, or it can't be written.
    """
    parsed = parse_url(url)
    engines.require(parsed)
    with engines.translated(parsed):
        engine = engines.open_engine(parsed, foreign_keys=False)
        try:
            with engines.writing(engine) as connection:
                before = revision_of(connection, parsed)
                if before is None or before == HEAD or _newer(before):
                    check(connection, parsed)
                    return f"{safe_text(parsed)} has schema {HEAD}, the newest: nothing to do"
                build(connection)
                _note(connection, "upgrade", before, HEAD)
                return f"{safe_text(parsed)}: schema {before} upgraded to {HEAD}"
        finally:
            engine.dispose()


def downgrade(url: str, revision: str) -> str:
    """Take a store back to an older schema, so that an older attnbench can use it.

    What only the newer schema holds is lost (0002: tags, exclusions, baselines, the audit log).

    Raises:
        SchemaMismatch: the schema is newer than this attnbench.
        StoreError: no store there, or ``revision`` isn't older than its schema.
    """
    parsed = parse_url(url)
    engines.require(parsed)
    with engines.translated(parsed):
        engine = engines.open_engine(parsed, foreign_keys=False)
        try:
            with engines.writing(engine) as connection:
                before = revision_of(connection, parsed)
                if before is None or _newer(before):
                    check(connection, parsed)
                older = [f"{n:04}" for n in range(1, int(before or 0))]
                if revision not in older:
                    raise StoreError(
                        f"{safe_text(parsed)} has schema {before}: it can be taken back to "
                        f"{', '.join(older) or 'none'}, not to {revision!r}"
                    )
                build(connection, revision)
                _note(connection, "downgrade", str(before), revision)
                return f"{safe_text(parsed)}: schema {before} taken back to {revision}"
        finally:
            engine.dispose()


def _note(connection: Connection, action: str, before: str, after: str) -> None:
    """In the audit log, where the schema has one (from 0002 on)."""
    if inspect(connection).has_table(audit_table.name):
        note(connection, action, "the schema", before=before, after=after)


def _noted(connection: Connection) -> str | None:
    """The revision that Alembic noted; None where it never did."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version = connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    return str(version)


def _newer(revision: str) -> bool:
    return not revision.isdigit() or int(revision) > int(HEAD)
