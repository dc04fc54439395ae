"""What an engine must do. A module is one: ``sqlite`` and ``postgres`` are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Engine, Insert, Table
from sqlalchemy.engine import URL


class Backend(Protocol):
    """Each function is described where it is offered: in ``harness.store.engine``."""

    def left_open(self, url: URL) -> bool:
        """Whether a writer is at work, or ended without closing."""

    def open_engine(self, url: URL, read_only: bool, foreign_keys: bool) -> Engine:
        """An engine on a database that is there."""

    def require(self, url: URL) -> None:
        """Raise StoreError unless ``url`` can be a store."""

    def exists(self, url: URL) -> bool:
        """Whether there is something to open."""

    def create(self, url: URL, build: Callable[[Connection], None]) -> None:
        """Make the database."""

    def insert_new(self, table: Table) -> Insert:
        """An INSERT that leaves known keys alone."""

    def new_ids(self, connection: Connection, table: Table, count: int) -> list[int]:
        """Ids for rows to come."""

    def insert_plain(
        self,
        connection: Connection,
        columns: Sequence[Column[Any]],
        rows: Sequence[tuple[Any, ...]],
    ) -> None:
        """Insert many rows of plain values, one at least."""

    def load_ahead(self, connection: Connection) -> None:
        """Prepare for many rows to come."""

    def describe(self, connection: Connection) -> str:
        """The engine with its version."""

    def database_id(self, connection: Connection, url: URL) -> tuple[Any, ...]:
        """The same for two connections to one database."""

    def size_bytes(self, connection: Connection) -> int:
        """What the database takes on disk."""

    def damage(self, connection: Connection) -> list[str]:
        """What is wrong with the file."""

    def compact(self, engine: Engine) -> None:
        """Give space back."""

    def backup(self, url: URL, target: Path) -> int:
        """Copy it whole; bytes."""
