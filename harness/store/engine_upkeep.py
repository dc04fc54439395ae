"""The other half of ``engine``: how each engine is sized, checked, tidied and copied whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL

from harness.errors import StoreError
from harness.store.engine import is_file, translated
from harness.store.url import safe_text, sqlite_path

NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.s3fs", "fuse.sshfs"}
    | {"gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs"}
    | {"smb2", "smb3", "smbfs"}
)


def network_file_system(url: URL, mounts: Path = Path("/proc/self/mounts")) -> str | None:
    """The network file system that a SQLite store lies on, or None.

    SQLite's locks and its shared memory don't work between the machines of one: two writers damage
    the file (sqlite.org/useovernet.html, optuna#4994).
    """
    if not is_file(url):
        return None
    folder = os.path.realpath(sqlite_path(url).absolute().parent)
    best, kind = "", None
    with contextlib.suppress(OSError):
        for line in mounts.read_text(errors="replace").splitlines():
            _, place, name, *_ = line.split(" ")
            place = place.replace("\\040", " ")
            inside = folder == place or folder.startswith(place.rstrip("/") + "/")
            if inside and len(place) >= len(best):  # a later mount covers an earlier one
                best, kind = place, name
    return kind if kind in NETWORK_FILE_SYSTEMS else None


def describe(connection: Connection) -> str:
    """The engine with its version."""
    if connection.dialect.name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    return f"Postgres {connection.exec_driver_sql('SHOW server_version').scalar()}"


def database_id(connection: Connection, url: URL) -> tuple[Any, ...]:
    """The same for two connections to one database, whatever their URLs look like."""
    if is_file(url):
        facts = os.stat(sqlite_path(url))
        return facts.st_dev, facts.st_ino
    query = "SELECT system_identifier::text, current_database() FROM pg_control_system()"
    return tuple(connection.exec_driver_sql(query).one())


def size_bytes(connection: Connection) -> int:
    """What the database takes on disk."""
    query = (
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        if connection.dialect.name == "sqlite"
        else "SELECT pg_database_size(current_database())"
    )
    return int(connection.exec_driver_sql(query).scalar() or 0)


def damage(connection: Connection) -> list[str]:
    """What the engine itself finds wrong with the file; Postgres sees to that on its own."""
    if connection.dialect.name != "sqlite":
        return []
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
    found = [text for text in found if text != "ok"]
    if found:
        return found  # what a damaged file says of its references means nothing
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [f"{row[0]} row {row[1]} refers to a {row[2]} that isn't there" for row in broken]


def compact(engine: Engine) -> None:
    """Give unused space back and bring the planner's statistics up to date."""
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        if connection.dialect.name == "sqlite":
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raw.execute("VACUUM")
            raw.execute("ANALYZE")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def backup(url: URL, target: Path) -> int:
    """Copy a SQLite store, while others may be writing to it, to a new file; its size in bytes.

    Through SQLite's backup API: a copy of the file alone would miss what is in its -wal. The file
    gets its name when it is whole.

    Raises:
        StoreError: Postgres, ``target`` is there already, or can't be written.
    """
    if not is_file(url):
        raise StoreError(
            f"{safe_text(url)}: a server's database is copied by pg_dump, or into a file by "
            f"`attnbench store merge {safe_text(url)} --store {target}`"
        )
    if os.path.lexists(target):
        raise StoreError(f"{target} is there already: a backup goes to a new file")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    source = f"file:{quote(str(sqlite_path(url).absolute()))}?mode=ro"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb"):
            pass  # the system's own error, should the folder refuse files
        with (
            translated(url),
            contextlib.closing(sqlite3.connect(source, uri=True)) as reader,
            contextlib.closing(sqlite3.connect(draft)) as writer,
        ):
            reader.backup(writer)
        size = draft.stat().st_size
        os.link(draft, target)
    except FileExistsError:
        raise StoreError(f"{target} is there already: a backup goes to a new file") from None
    except OSError as error:
        raise StoreError(f"no backup can be written to {target}: {error.strerror}") from error
    finally:
        for rest in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(OSError):
                os.unlink(f"{draft}{rest}")
    return size
