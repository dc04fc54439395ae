"""One measurement: all that a sweep recorded of one job, and the command that measures it again.

found = measurement(store, "20261125-101500-ab12cd/0123456789abcdef0123")
found.records[0].samples_ms, found.command
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from harness.config.catalog import gpus, workloads
from harness.config.reproduce import command_of
from harness.errors import StoreError
from harness.model import Record
from harness.store import Store, schema
from harness.store.reading import load, sweep_number


@dataclass(frozen=True)
class Measurement:
    """What one sweep recorded of one job."""

    name: str
    """``SWEEP/JOB``, for ever the same."""
    records: list[Record]
    """Every attempt at every launch, in that order; excluded ones too."""
    excluded: dict[int, str]
    """Why a record is left out of analysis, by its place in ``records``."""
    command: str
    """What measures it again."""


def measurement(store: Store, name: str) -> Measurement:
    """The measurement called ``name`` (``view.result_name``).

    Raises:
        StoreError: the store has no such sweep, or nothing of such a job in it.
    """
    sweep_id, _, job_key = name.partition("/")
    r, j = schema.result.c, schema.job.c
    with store.reading() as connection:
        number = sweep_number(connection, sweep_id)
        rows = connection.execute(
            select(r.id, schema.exclusion.c.reason)
            .select_from(schema.result)
            .join(schema.job, r.job_id == j.id)
            .outerjoin(schema.exclusion, schema.exclusion.c.result_id == r.id)
            .where(r.sweep_id == number, j.key == job_key)
            .order_by(r.launch, r.attempt)
        ).all()
        records = load(connection, [row[0] for row in rows])
    if not records:
        raise StoreError(
            f"sweep {sweep_id} has nothing of a job {job_key!r}: the link is of another store, or "
            "what it leads to was deleted"
        )
    first = records[0]
    gpu = first.gpu if first.gpu in gpus() else "local"  # hardware that no yaml describes
    command = command_of(
        first.kernel, first.problem, gpu, first.timing, first.workload, workloads()
    )
    excluded = {i: row[1] for i, row in enumerate(rows) if row[1] is not None}
    return Measurement(name, records, excluded, command)
