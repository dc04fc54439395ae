"""The audit log: every change of history, when, by whom, what and why."""

from __future__ import annotations

import getpass
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from harness.model import utc_now
from harness.model.identity import digest
from harness.store.rows import checked_for, json_text
from harness.store.schema import audit

if TYPE_CHECKING:
    from harness.store.store import Store


@dataclass(frozen=True)
class AuditEntry:
    """One change of history."""

    at: str
    """When, ISO 8601 UTC."""
    actor: str
    """user@host that did it."""
    action: str
    """What was done: prune, exclude, include, tag, untag, reset-baseline, delete-sweep, merge …"""
    subject: str
    """To what, in words."""
    reason: str
    """Why."""
    details: Mapping[str, Any]
    """Counts and keys."""


def note(
    connection: Connection, action: str, subject: str, reason: str = "", **details: Any
) -> None:
    """Write an entry, in the transaction of the change itself: there are both or neither."""
    row = {
        "at": utc_now(),
        "actor": actor(),
        "action": action,
        "subject": subject,
        "reason": reason,
        "details": json_text(details, "details"),
    }
    connection.execute(insert(audit), checked_for(audit, row | {"key": digest(row)}))


def audit_log(store: Store, limit: int | None = None) -> list[AuditEntry]:
    """The newest ``limit`` entries (default: all), the oldest of them first."""
    names = AuditEntry.__dataclass_fields__
    query = select(*(audit.c[name] for name in names)).order_by(
        audit.c.at.desc(), audit.c.id.desc()
    )
    with store.reading() as connection:
        rows = connection.execute(query.limit(limit)).mappings().all()
    return [
        AuditEntry(**(dict(row) | {"details": json.loads(row["details"])})) for row in rows[::-1]
    ]


def actor() -> str:
    """user@host of this process."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        user = "unknown"
    return f"{user}@{platform.node()}"
