"""How far sweeps have come: by status, by machine and by reason, counted in the database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import func, select

from harness.model import Status
from harness.model.record import RETRIED
from harness.store.schema import device, result
from harness.store.schema import sweep as sweep_table
from harness.store.store import Store
from harness.store.sweeps import StoredSweep

GOOD = (Status.OK, Status.SKIPPED)


@dataclass
class Machine:
    """What one machine has done of a sweep."""

    good: int = 0
    """Records that are ok or skipped."""
    failed: int = 0
    """All others."""
    last_at: str = ""
    """When its last job started, ISO 8601 UTC."""


@dataclass
class Progress:
    """How far a sweep has come. Crashes that were tried again don't count."""

    sweep: StoredSweep
    """The sweep."""
    counts: Counter[str] = field(default_factory=Counter)
    """Final records by status."""
    machines: dict[str, Machine] = field(default_factory=dict)
    """By host."""
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Failures by status and the beginning of their reason."""
    last_at: str = ""
    """When the newest job started."""

    @property
    def planned(self) -> int:
        """Records that there will be, the plan's skips not counted."""
        return self.sweep.jobs * self.sweep.launches


def progress(store: Store, sweep_id: str) -> Progress:
    """Count a sweep's records. Raises StoreError where there is no such sweep."""
    found = Progress(store.sweep(sweep_id))
    of = select(sweep_table.c.id).where(sweep_table.c.key == sweep_id).scalar_subquery()
    reason = func.substr(result.c.reason, 1, 100)
    counted = (
        select(result.c.status, device.c.host, reason, func.count(), func.max(result.c.started_at))
        .outerjoin(device, result.c.device_id == device.c.id)
        .where(result.c.sweep_id == of, result.c.flags.notlike(f'%"{RETRIED}"%'))
        .group_by(result.c.status, device.c.host, reason)
    )
    with store.reading() as connection:
        for status, host, why, count, last_at in connection.execute(counted):
            found.counts[status] += count
            found.last_at = max(found.last_at, last_at)
            if status not in GOOD:
                found.reasons[status, why] += count
            if host is not None:
                machine = found.machines.setdefault(host, Machine())
                machine.last_at = max(machine.last_at, last_at)
                if status in GOOD:
                    machine.good += count
                else:
                    machine.failed += count
    return found
