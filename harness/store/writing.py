"""Putting records into the tables: once each, or refused; inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter

from sqlalchemy import Connection, select, update

from harness.errors import RecordConflict
from harness.model import Record, Sweep
from harness.store.dimensions import KnownIds
from harness.store.engine import insert_new, insert_plain, new_ids
from harness.store.reading import load, sweep_number
from harness.store.rows import Row, content_key, pack_samples, result_row
from harness.store.schema import result, sample, sweep
from harness.store.sweeps import stored_sweep, sweep_row

_IDENTITY = (result.c.sweep_id, result.c.job_id, result.c.launch, result.c.attempt)

_values = itemgetter(*(c.name for c in result.columns if c is not result.c.id))

Identity = tuple[int | None, ...]
"""Ids of sweep and job, launch, attempt: what the unique constraint is on."""


class Writer:
    """Writes rows, remembering the ids of what they refer to. ``forget`` after every rollback."""

    def __init__(self, store: str) -> None:
        self._store = store
        self._known = KnownIds()
        self._sweeps: dict[str, int] = {}

    def forget(self) -> None:
        """Drop what is remembered: ids given in a transaction that failed name no rows."""
        self._known.forget()
        self._sweeps.clear()

    def start(self, connection: Connection, started: Sweep) -> None:
        """Store a sweep as running, or set it running again. Raises RecordConflict."""
        there = select(sweep).where(sweep.c.key == started.id)
        row = sweep_row(started)
        old = connection.execute(there).mappings().one_or_none()
        if old is None:  # another process may start it at this very moment
            connection.execute(insert_new(connection, sweep).values(row))
            old = connection.execute(there).mappings().one()
        if sweep_row(stored_sweep(dict(old))) != row:
            raise RecordConflict(
                f"{self._store} has another sweep {started.id}, started {old['started_at']} by "
                f"`{old['command']}`"
            )
        else:
            again = update(sweep).where(sweep.c.id == old["id"])
            connection.execute(again.values(state="running", finished_at=""))

    def insert(self, connection: Connection, records: Sequence[Record]) -> int:
        """Insert what is new; the count of it. The rest must be equal to what is stored.

        Raises:
            RecordConflict: an identity that is stored, or comes twice, with other content.
            StoreError: a sweep that was never started, or a value that can't be stored.
        """
        keys = self._known.resolve(connection, records)
        for record, ids in zip(records, keys, strict=True):
            ids["sweep_id"] = self._sweep(connection, record.sweep_id)
        identities: list[Identity] = [
            (ids["sweep_id"], ids["job_id"], record.launch, record.attempt)
            for record, ids in zip(records, keys, strict=True)
        ]
        stored = stored_identities(connection, identities)
        new: dict[Identity, tuple[Record, Row]] = {}
        for record, ids, identity in zip(records, keys, identities, strict=True):
            if identity in stored:
                self.compare(connection, record, *stored[identity])
            elif identity in new:
                self._agree(new[identity][0], record)
            else:
                new[identity] = record, result_row(record, ids)
        if new:
            _insert(connection, new)
        return len(new)

    def _sweep(self, connection: Connection, sweep_id: str) -> int:
        if sweep_id not in self._sweeps:
            self._sweeps[sweep_id] = sweep_number(connection, sweep_id)
        return self._sweeps[sweep_id]

    def compare(self, connection: Connection, record: Record, id_: int, key: str) -> None:
        """Raise RecordConflict unless result ``id_``, of content ``key``, is ``record``."""
        # Another key need not be other content: 5 and 5.0 are written differently, and a later
        # attnbench hashes fields that this one doesn't have. So then the records themselves decide.
        if content_key(record) != key:
            self._agree(load(connection, [id_])[0], record)

    def _agree(self, stored: Record, record: Record) -> None:
        old, new = stored.to_dict(), record.to_dict()
        if old == new:
            return
        raise RecordConflict(
            f"{self._store}: two different records of sweep {record.sweep_id}, "
            f"{record.kernel.name} on {record.problem.summary()} (job {record.job_key}), launch "
            f"{record.launch}, attempt {record.attempt}: {_named(stored)} is stored, "
            f"{_named(record)} came; they differ in "
            f"{', '.join(name for name in new if old[name] != new[name])}"
        )


def _named(record: Record) -> str:
    when = f" of {record.started_at}" if record.started_at else ""
    return f"{record.content_key} ({record.status}{when})"


def stored_identities(
    connection: Connection, identities: Collection[Identity]
) -> dict[Identity, tuple[int, str]]:
    """(id, content key) of what is stored of these sweeps, jobs and launches, by identity.

    The launches bound what is read: without them each launch's batch would read all before it.
    """
    sweeps, jobs, launches, _ = map(set, zip(*identities, strict=True))
    rows = connection.execute(
        select(*_IDENTITY, result.c.id, result.c.content_key).where(
            result.c.sweep_id.in_(sweeps),
            result.c.job_id.in_(jobs),
            result.c.launch.between(min(launches), max(launches)),
        )
    )
    return {tuple(row[:4]): (row[4], row[5]) for row in rows}


def _insert(connection: Connection, new: dict[Identity, tuple[Record, Row]]) -> None:
    # No RETURNING: asking for ids in order makes SQLAlchemy insert row by row on SQLite.
    ids = new_ids(connection, result, len(new))
    rows = [(id_, *_values(row)) for id_, (_, row) in zip(ids, new.values(), strict=True)]
    insert_plain(connection, list(result.columns), rows)
    blobs = [
        (id_, pack_samples(record.samples_ms))
        for id_, (record, _) in zip(ids, new.values(), strict=True)
        if record.samples_ms
    ]
    insert_plain(connection, list(sample.columns), blobs)
