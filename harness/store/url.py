"""Database URLs: what is accepted, and the text of one that is safe to print.

sqlite:///results/attnbench.db          relative to where the command runs
sqlite:////srv/attnbench.db             absolute
results/attnbench.db                    a bare path is SQLite
postgresql+psycopg://user:pw@host/db    query options (sslmode=verify-full …) pass through
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from harness.errors import StoreError

_SECRETS = ("password", "sslpassword", "passfile")


def parse_url(text: str) -> URL:
    """A URL of an engine that is supported.

    Raises:
        StoreError: not a URL, an engine that isn't supported, or SQLite without a file. The text
            isn't repeated in the message where it could hold a password.
    """
    if not text.strip():
        raise StoreError("the store's URL is empty: give a file, or sqlite:///results/attnbench.db")
    if "\0" in text:
        raise StoreError("the store's URL holds a NUL character")
    if "://" not in text:
        return URL.create("sqlite", database=text)
    unreadable = StoreError(
        f"the store's URL ({text.split('://', maxsplit=1)[0]}://…) can't be read: write it as "
        "sqlite:///path or postgresql+psycopg://user@host/database, with @ / : ? # % of a password "
        "as %40 %2F %3A %3F %23 %25"
    )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # its text, and so its traceback, may hold the password
        raise unreadable from None
    if url.password and "@" in f"{url.host}{url.database}":  # that is the rest of the password
        raise unreadable
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise StoreError(
            f"a store can't be kept in {url.drivername}: use sqlite:///path or "
            "postgresql+psycopg://user@host/database"
        )
    if url.drivername == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise StoreError("a SQLite store needs a file: sqlite:///results/attnbench.db")
        if url.host or url.query:
            raise StoreError(
                f"{safe_text(url)}: SQLite takes a path and no options; a relative path has three "
                "slashes (sqlite:///results/attnbench.db), an absolute one four"
            )
    return url


def sqlite_path(url: URL) -> Path:
    """The file of a SQLite URL."""
    return Path(url.database or "")


def safe_text(url: URL) -> str:
    """The URL without its secrets: for messages, logs and reports."""
    hidden = {name: "***" for name in url.query if name.lower() in _SECRETS}
    text = url.update_query_dict(hidden).render_as_string(hide_password=True)
    return text.replace(quote("***"), "***")
