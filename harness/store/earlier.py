"""What earlier sweeps say of a job: how long it took, and on which board."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select

from harness.model import Status
from harness.model.gpu import CPU
from harness.store.schema import device, hardware, job, result
from harness.store.store import Store

KEYS = 500
"""Keys of one query: SQLite takes 32,766 at most, older ones 999."""


@dataclass(frozen=True)
class Earlier:
    """The last good result of a job."""

    duration_s: float
    """How long it took, s, checks and set-up included."""
    board: str
    """The GPU's UUID as torch writes it (without ``GPU-``); the host of a CPU."""


def earlier(store: Store, job_keys: Iterable[str]) -> dict[str, Earlier]:
    """The last good result of each of these jobs that has one, by job key."""
    found: dict[str, Earlier] = {}
    wanted = sorted(job_keys)
    for start in range(0, len(wanted), KEYS):
        keys = wanted[start : start + KEYS]
        last = (
            select(func.max(result.c.id))
            .join(job)
            .where(job.c.key.in_(keys), result.c.status == Status.OK)
            .group_by(job.c.id)
        )
        facts = (
            select(job.c.key, result.c.duration_s, device.c.uuid, device.c.host, hardware.c.kind)
            .select_from(result.join(job).join(device).join(hardware))
            .where(result.c.id.in_(last))
        )
        with store.reading() as connection:
            for key, duration_s, uuid, host, kind in connection.execute(facts):
                found[key] = Earlier(duration_s, host if kind == CPU else uuid)
    return found
