"""Rows back into records, a page at a time: some look-ups by id, and no join of ten tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from harness.errors import StoreError, did_you_mean
from harness.model import Kernel, Record
from harness.store import rows, schema
from harness.store.dimensions import rows_by_id
from harness.store.rows import Row


def load(connection: Connection, ids: Sequence[int]) -> list[Record]:
    """The records of these ids of ``result``, in the order given; one that is gone is left out."""
    results = rows_by_id(connection, schema.result, ids)
    found = list(results.values())
    sample = schema.sample.c
    sampled = [row["id"] for row in found if row["sample_count"]]
    times = select(sample.result_id, sample.times_ms).where(sample.result_id.in_(sampled))
    blobs: dict[int, bytes] = {row[0]: row[1] for row in connection.execute(times)}
    parts = _Parts(connection, found)
    return [parts.record(results[i], blobs.get(i)) for i in ids if i in results]


def sweep_number(connection: Connection, sweep_id: str) -> int:
    """The id of a sweep's row. Raises StoreError, naming close ones, where there is none."""
    sweep = schema.sweep.c
    found: int | None = connection.scalar(select(sweep.id).where(sweep.key == sweep_id))
    if found is None:
        known = connection.scalars(select(sweep.key)).all()
        raise StoreError(f"no sweep {sweep_id!r} in the store. {did_you_mean(sweep_id, known)}")
    return found


class _Parts:
    """The dimension rows that some results refer to; equal ones become one object."""

    def __init__(self, connection: Connection, results: list[Row]) -> None:
        def fetch(table: Any, among: list[Row]) -> dict[int, Row]:
            return rows_by_id(connection, table, (r[f"{table.name}_id"] for r in among))

        self._sweeps = fetch(schema.sweep, results)
        self._jobs = fetch(schema.job, results)
        self._kernels = fetch(schema.kernel, list(self._jobs.values()))
        self._files = fetch(schema.kernel_file, results)
        self._made: dict[tuple[int, int], Kernel] = {}
        devices = fetch(schema.device, results)
        hardware = fetch(schema.hardware, list(devices.values()))
        self._nouns: dict[str, dict[int, Any]] = {
            "timing": {i: rows.timing_of(r) for i, r in fetch(schema.timing, results).items()},
            "device": {
                i: rows.device_of(r, hardware[r["hardware_id"]]) for i, r in devices.items()
            },
            "environment": {
                i: rows.environment_of(r) for i, r in fetch(schema.environment, results).items()
            },
            "revision": {
                i: rows.revision_of(r) for i, r in fetch(schema.revision, results).items()
            },
        }
        problems = fetch(schema.problem, list(self._jobs.values()))
        self._problems = {i: rows.problem_of(r) for i, r in problems.items()}

    def record(self, row: Row, blob: bytes | None) -> Record:
        job = self._jobs[row["job_id"]]
        nouns: dict[str, Any] = {"problem": self._problems[job["problem_id"]]}
        nouns["kernel"] = self._kernel(job["kernel_id"], row["kernel_file_id"])
        for name, known in self._nouns.items():
            id_ = row[f"{name}_id"]
            nouns[name] = None if id_ is None else known[id_]
        sweep_id = self._sweeps[row["sweep_id"]]["key"]
        return rows.record_of(row, sweep_id, job["gpu"], nouns, blob)

    def _kernel(self, kernel_id: int, file_id: int) -> Kernel:
        key = kernel_id, file_id
        if key not in self._made:
            self._made[key] = rows.kernel_of(self._kernels[kernel_id], self._files[file_id])
        return self._made[key]
