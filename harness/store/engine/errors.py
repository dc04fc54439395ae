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
    ("lock timeout", f"another process has been holding it for {WAIT_S} s: try again"),
    ("password", "check user and password: in the URL, PGPASSWORD or ~/.pgpass"),
    ("refused", "no server answers there: is Postgres running, are host and port right?"),
    ("No such file", "no server answers there: is Postgres running, is the socket's folder right?"),
    (
        "timeout expired",
        f"the server doesn't answer within {CONNECT_S} s: check host, port and firewall, or give "
        "connect_timeout=… in the URL",
    ),
    ("resolve host", "check the host's name in the URL"),
    ("translate host name", "check the host's name in the URL"),
    ("permission denied", "this role may only read: ask for one that may write"),
    ("read-only transaction", "this role or server only reads: ask for one that may write"),
    ("connection slots", "the server has no connection left: try again later"),
    ("too many", "the server has no connection left: try again later"),
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
