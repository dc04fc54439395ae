"""Sweep: one run of a plan, from the command that started it to its last record."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any


def utc_now() -> str:
    """Now as ISO 8601 UTC with microseconds, the one way times are written."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def new_sweep_id() -> str:
    """A sortable id: the time in UTC, and 24 random bits against two starts in one second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@dataclass(frozen=True)
class Sweep:
    """What was run, by which command, with which config."""

    id: str
    """Sortable, unique id."""
    name: str = ""
    """The experiment's name; "" for an ad-hoc matrix."""
    command: str = ""
    """The command line that reproduces it."""
    overrides: tuple[str, ...] = ()
    """The Hydra overrides it was given."""
    started_at: str = field(default_factory=utc_now)
    """ISO 8601 UTC."""
    host: str = ""
    """Host of the driver."""
    harness: str = ""
    """attnbench's version."""
    jobs: int = 0
    """Jobs planned."""
    launches: int = 1
    """Rounds planned."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        out = asdict(self)
        out["overrides"] = list(self.overrides)
        return out
