"""What the database libraries raise, as one line that names the store and says what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from harness.errors import StoreError
from harness.store.url import safe_text

WAIT_S = 30
"""How long a writer waits for another one's transaction before it gives up, s."""

CONNECT_S = 10
"""How long a server may take to answer a new connection, s; `connect_timeout` in the URL wins."""

_ADVICE = (
    # SQLite
    ("locked", f"another process has been writing to it for {WAIT_S} s: try again"),
    ("malformed", "the file is damaged or cut short: restore a copy of it"),
    ("not a database", "the file is not a SQLite database, or its start is damaged"),
    ("readonly", "it can't be written: check the permissions of the file and its folder"),
    ("is full", "make room on the disk; what was stored before is intact"),
    ("disk I/O error", "is the disk full, or a quota used up? What was stored before is intact"),
    # Postgres
    ("lock timeout", "another process has been writing for long: try again"),
    ("password", "check user and password: in the URL, PGPASSWORD or ~/.pgpass"),
    ('role "', "check the user in the URL, or ask the server's owner for one"),
    ("pg_hba.conf", "the server doesn't let this user in from here: ask its owner"),
    ("refused", "no server answers there: is Postgres running, are host and port right?"),
    ("No such file", "no server answers there: is Postgres running, is the socket's folder right?"),
    (
        "timeout expired",
        "the server doesn't answer: check host, port and firewall, or give it longer by "
        "connect_timeout=… in the URL",
    ),
    ("invalid response to SSL", "what answers there is no Postgres: check the port"),
    ("does not support SSL", "this server has no TLS: ask its owner, or sslmode=prefer in the URL"),
    ("certificate verify failed", "sslrootcert=… in the URL names the authority to trust"),
    ("root certificate file", "sslrootcert=… in the URL names the authority to trust"),
    ("does not match host", "the URL must name the host as its certificate does"),
    ("invalid connection option", "what follows the ? of the URL are libpq's options"),
    ("invalid sslmode", "disable, allow, prefer, require, verify-ca or verify-full"),
    ("resolve host", "check the host's name in the URL"),
    ("translate host name", "check the host's name in the URL"),
    ("permission denied", "this role may not: give it the rights, or take another one"),
    ("must be owner", "this role may not: give it the rights, or take another one"),
    ("read-only transaction", "this role or server only reads: ask for one that may write"),
    ("connection slots", "the server has no connection left: try again later"),
    ("too many", "the server has no connection left: try again later"),
    ("not currently accepting", "the database is closed for now: try again later"),
    ("No space left", "make room on the server's disk; what was stored before is intact"),
)
_NO_DATABASE = "make it with createdb, then run this again"
_DROPPED = "the connection broke; run the same again: what was stored already is stored once"


@contextlib.contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turn what the database library raises into a StoreError that names the store."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        text = said(error)
        raise StoreError(f"{safe_text(url)}: {text}{_advice(text, error)}") from error


def said(error: BaseException) -> str:
    """What went wrong, in one line, without SQL.

    psycopg lists every address that it tried, and what came of it, after a first line that says
    nothing else: then the last of them speaks.
    """
    cause = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    if not lines:
        return type(cause).__name__
    told = [line for line in lines if "FATAL:" in line or "failed: " in line]
    return (told[-1] if told else lines[0]).removeprefix("- ").removeprefix("ERROR: ").strip()


def passing(error: StoreError) -> bool:
    """Whether the same work may well succeed later, without anything changed in it.

    The connection is gone, the server is starting or has no connection left, another process holds
    the store, or there is no room for now.
    """
    return dropped(error) or any(sign in str(error) for sign in _PASSING)


def dropped(error: BaseException | None) -> bool:
    """Whether an error says that the connection is gone: the same work may be tried on a new one.

    Of a StoreError, its cause is looked at.
    """
    if isinstance(error, StoreError):
        error = error.__cause__
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    # 57P01..03: an administrator's command, a crash, a server that is starting; 08: connection
    if error.connection_invalidated or state.startswith(("08", "57P01", "57P02", "57P03")):
        return True
    return any(sign in str(error.orig) for sign in _GONE)


_PASSING = (
    "locked",
    "lock timeout",
    "is full",
    "disk I/O error",
    "No space left",
    "timeout expired",
    "connection slots",
    "too many",
    "not currently accepting",
    "No such file",  # a server's socket, while it restarts
)
_GONE = (
    "server closed the connection",
    "connection is closed",
    "connection is lost",
    "consuming input failed",
    "the connection is",
    "Connection refused",
    "Connection reset",
    "starting up",
)


def _advice(text: str, error: BaseException) -> str:
    if 'database "' in text and "does not exist" in text:
        return f" ({_NO_DATABASE})"
    for sign, advice in _ADVICE:
        if sign in text:
            return f" ({advice})"
    return f" ({_DROPPED})" if dropped(error) else ""
