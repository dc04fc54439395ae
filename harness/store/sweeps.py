"""Sweeps as they are stored: what was run, and how far it came."""

from __future__ import annotations

import json
from dataclasses import dataclass

from harness.errors import StoreError
from harness.model import Sweep
from harness.store import schema
from harness.store.rows import Row, checked_for, json_text

STATES = ("running", "done", "interrupted", "failed")
"""running: started and not ended, or its driver was killed. failed: the tool itself gave up."""


@dataclass(frozen=True)
class StoredSweep(Sweep):
    """A sweep, and how far it came."""

    state: str = "running"
    """One of STATES."""
    finished_at: str = ""
    """When it ended, ISO 8601 UTC; "" while it is running."""


def sweep_row(sweep: Sweep) -> Row:
    """The row of a sweep that starts now."""
    row = {name: getattr(sweep, name) for name in Sweep.__dataclass_fields__}
    row["key"] = row.pop("id")
    row["overrides"] = json_text(sweep.overrides, "overrides")
    return checked_for(schema.sweep, row | {"state": "running", "finished_at": ""})


def stored_sweep(row: Row) -> StoredSweep:
    """Inverse of ``sweep_row``."""
    facts = {name: row[name] for name in StoredSweep.__dataclass_fields__ if name != "id"}
    facts["overrides"] = tuple(json.loads(row["overrides"]))
    return StoredSweep(id=row["key"], **facts)


def check_state(state: str) -> None:
    """Raise StoreError unless a sweep can end in ``state``."""
    if state not in STATES[1:]:
        raise StoreError(f"a sweep ends {', '.join(STATES[1:-1])} or {STATES[-1]}, not {state!r}")
