"""Store: the result database. Opened by ``open_store``; knows nothing of ranks, charts or claims."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from types import TracebackType

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from harness.errors import RecordConflict, StoreError, did_you_mean
from harness.model import Record, Status, Sweep, utc_now
from harness.store import engine as engines
from harness.store import migrate
from harness.store.dimensions import Ids, KnownIds
from harness.store.reading import load
from harness.store.rows import Row, content_key, pack_samples, result_row
from harness.store.schema import job, result, sample
from harness.store.schema import sweep as sweep_table
from harness.store.sweeps import StoredSweep, check_state, stored_sweep, sweep_row
from harness.store.url import parse_url, safe_text

BATCH = 1000
"""Records of one transaction of ``append_many``, so that another writer gets its turn."""

_PAGE = 500

_IDENTITY = (result.c.sweep_id, result.c.job_id, result.c.launch, result.c.attempt)


def open_store(url: str, *, create: bool = False, read_only: bool = False) -> Store:
    """Open the result database at ``url`` (forms: harness.store.url), or with ``create`` make it.

    Read-only, SQLite's file is opened as such and works in a folder that can't be written.

        with open_store("results/attnbench.db", create=True) as store:
            store.start_sweep(sweep, skips)
            store.append(record)

    Raises:
        SchemaMismatch: the schema is older (the message names the upgrade command) or newer.
        StoreError: no store there, not a store, damaged, or no permission. Whatever is there is
            left as it was, and nothing is left where nothing was.
    """
    parsed = parse_url(url)
    if create and not read_only and not (engines.is_file(parsed) and engines.exists(parsed)):
        engines.create(parsed, migrate.build)
    engines.require(parsed)
    if not read_only and engines.left_open(parsed):
        # Look before touching: closing a foreign file after an unclean writer would change it.
        _check(parsed, engines.open_engine(parsed, read_only=True)).dispose()
    return Store(
        parsed, _check(parsed, engines.open_engine(parsed, read_only=read_only)), read_only
    )


def _check(url: URL, engine: Engine) -> Engine:
    try:
        with engines.translated(url), engine.connect() as connection:
            migrate.check(connection, url)
    except BaseException:
        engine.dispose()
        raise
    return engine


class Store:
    """Sweeps and their records.

    Durability: what a method has written is committed when it returns, and survives a kill of the
    process and a power cut; a kill in the middle leaves either all of that call's transaction or
    nothing. Idempotence: the same record twice is one row. Threads: any number may share a Store;
    their writes take turns. Processes: each opens its own, never one from before a fork (refused).
    Several may write one SQLite file on a local disk; each waits up to 30 s for its turn.

    Every method raises StoreError, with the store's name in it, when the database fails.
    """

    def __init__(self, url: URL, engine: Engine, read_only: bool) -> None:
        self._url = url
        self._engine = engine
        self._read_only = read_only
        self._known = KnownIds()
        self._sweep_ids: dict[str, int] = {}
        self._lock = threading.RLock()
        self._process = os.getpid()

    @property
    def safe_url(self) -> str:
        """The URL without its password."""
        return safe_text(self._url)

    @property
    def read_only(self) -> bool:
        """Whether it was opened for reading alone."""
        return self._read_only

    def close(self) -> None:
        """Release the file or the connections. The last one to close a SQLite file tidies it up."""
        if os.getpid() == self._process:
            self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries, on which everything is seen as of the first one."""
        self._check_process()
        with engines.translated(self._url), self._engine.connect() as connection:
            yield connection

    # Writing

    def start_sweep(self, sweep: Sweep, skips: Iterable[Record] = ()) -> None:
        """Store a sweep as running, with what its plan skipped, in one transaction.

        Starting the same sweep again (a resume) sets it running and adds what is missing.

        Raises:
            RecordConflict: another sweep, or another skip, has this identity.
        """
        row = sweep_row(sweep)
        with self._writing() as connection:
            there = connection.execute(
                select(sweep_table).where(sweep_table.c.key == sweep.id)
            ).mappings()
            old = there.one_or_none()
            if old is None:
                connection.execute(insert(sweep_table).values(row))
            elif stored_sweep(dict(old)).sweep != sweep:
                raise RecordConflict(
                    f"{self.safe_url} has another sweep {sweep.id}, started {old['started_at']} by "
                    f"`{old['command']}`"
                )
            else:
                connection.execute(
                    update(sweep_table)
                    .where(sweep_table.c.key == sweep.id)
                    .values(state="running", finished_at="")
                )
            for batch in _batches(skips, BATCH):
                self._insert(connection, batch)

    def append(self, record: Record) -> bool:
        """Store one record; False if it is there already.

        Raises:
            RecordConflict: the same attempt is stored with other content.
            StoreError: its sweep was never started, or it says what no store can keep (NUL, NaN).
        """
        return self._write([record]) == 1

    def append_many(self, records: Iterable[Record]) -> int:
        """Store records in transactions of BATCH; how many were new. Raises as ``append`` does.

        After an error, the batches before that of the bad record are stored, and nothing of its
        own: the call can be made again.
        """
        return sum(self._write(batch) for batch in _batches(records, BATCH))

    def finish_sweep(self, sweep_id: str, state: str) -> None:
        """Note that a sweep has ended: done, interrupted or failed."""
        check_state(state)
        with self._writing() as connection:
            self._require_sweep(connection, sweep_id)
            connection.execute(
                update(sweep_table)
                .where(sweep_table.c.key == sweep_id)
                .values(state=state, finished_at=utc_now())
            )

    # Reading

    def sweeps(self) -> list[StoredSweep]:
        """Every sweep, the oldest first."""
        with self.reading() as connection:
            order = select(sweep_table).order_by(sweep_table.c.started_at, sweep_table.c.id)
            return [stored_sweep(dict(row)) for row in connection.execute(order).mappings()]

    def sweep(self, sweep_id: str) -> StoredSweep:
        """One sweep. Raises StoreError, naming close ones, where there is no such id."""
        with self.reading() as connection:
            self._require_sweep(connection, sweep_id)
            row = connection.execute(select(sweep_table).where(sweep_table.c.key == sweep_id))
            return stored_sweep(dict(row.mappings().one()))

    def records(self, sweep_id: str | None = None) -> Iterator[Record]:
        """Every record stored when the iteration starts, or those of one sweep, as they arrived."""
        wanted = select(result.c.id).order_by(result.c.id)
        with self.reading() as connection:
            if sweep_id is not None:
                number = self._require_sweep(connection, sweep_id)
                wanted = wanted.where(result.c.sweep_id == number)
            ids = connection.scalars(wanted).all()
        for start in range(0, len(ids), _PAGE):
            with self.reading() as connection:
                page = load(connection, ids[start : start + _PAGE])
            yield from page

    def record(
        self, sweep_id: str, job_key: str, launch: int = 0, attempt: int = 0
    ) -> Record | None:
        """The record of one attempt, or None."""
        with self.reading() as connection:
            id_ = connection.scalar(
                select(result.c.id)
                .join(sweep_table)
                .join(job)
                .where(
                    sweep_table.c.key == sweep_id,
                    job.c.key == job_key,
                    result.c.launch == launch,
                    result.c.attempt == attempt,
                )
            )
            return load(connection, [id_])[0] if id_ is not None else None

    def finished(self, sweep_id: str) -> set[tuple[str, int]]:
        """The (job_key, launch) of a sweep that need not run again: those with any record.

        An attempt that will be retried leaves none: its record is written when retries end.
        """
        with self.reading() as connection:
            number = self._require_sweep(connection, sweep_id)
            done = select(job.c.key, result.c.launch).join(job).where(result.c.sweep_id == number)
            return {(key, launch) for key, launch in connection.execute(done)}

    def tally(self, sweep_id: str) -> dict[Status, int]:
        """How many records of a sweep ended how."""
        with self.reading() as connection:
            number = self._require_sweep(connection, sweep_id)
            counts = (
                select(result.c.status, func.count())
                .where(result.c.sweep_id == number)
                .group_by(result.c.status)
            )
            return {Status(status): count for status, count in connection.execute(counts)}

    # Inside

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise StoreError(
                f"{self.safe_url} was opened before a fork: open it again in the child"
            )

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        self._check_process()
        if self._read_only:
            raise StoreError(f"{self.safe_url} was opened read-only")
        with self._lock, engines.translated(self._url):
            try:
                with engines.writing(self._engine) as connection:
                    yield connection
            except BaseException:
                self._known.forget()
                self._sweep_ids.clear()
                raise

    def _write(self, records: Sequence[Record]) -> int:
        try:
            with self._writing() as connection:
                return self._insert(connection, records)
        except StoreError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
        # Another process stored one of these between our look and our insert (not with SQLite,
        # whose writers exclude each other): now it is found, and compared.
        with self._writing() as connection:
            return self._insert(connection, records)

    def _insert(self, connection: Connection, records: Sequence[Record]) -> int:
        """Insert what is new; the count of it. The rest must be equal to what is stored."""
        keys = self._known.resolve(connection, records)
        for record, ids in zip(records, keys, strict=True):
            ids["sweep_id"] = self._require_sweep(connection, record.sweep_id)
        stored = self._stored(connection, keys)
        new: dict[tuple[int | None, ...], tuple[Record, Row]] = {}
        for record, ids in zip(records, keys, strict=True):
            identity = (ids["sweep_id"], ids["job_id"], record.launch, record.attempt)
            if identity in stored:
                self._compare(connection, record, *stored[identity])
            elif identity in new:
                _agree(self.safe_url, new[identity][0], record)
            else:
                new[identity] = record, result_row(record, ids)
        if not new:
            return 0
        numbers = connection.scalars(
            insert(result).returning(result.c.id, sort_by_parameter_order=True),
            [row for _, row in new.values()],
        ).all()
        blobs = [
            {"result_id": number, "times_ms": pack_samples(record.samples_ms)}
            for number, (record, _) in zip(numbers, new.values(), strict=True)
            if record.samples_ms
        ]
        if blobs:
            connection.execute(insert(sample), blobs)
        return len(new)

    def _stored(
        self, connection: Connection, keys: Sequence[Ids]
    ) -> dict[tuple[int | None, ...], tuple[int, str]]:
        """(id, content key) of what is stored of these sweeps and jobs, by identity."""
        rows = connection.execute(
            select(*_IDENTITY, result.c.id, result.c.content_key).where(
                result.c.sweep_id.in_({ids["sweep_id"] for ids in keys}),
                result.c.job_id.in_({ids["job_id"] for ids in keys}),
            )
        )
        return {tuple(row[:4]): (row[4], row[5]) for row in rows}

    def _compare(self, connection: Connection, record: Record, id_: int, key: str) -> None:
        # Another key need not be other content: 5 and 5.0 are written differently, and a later
        # attnbench hashes fields that this one doesn't have. So then the records themselves decide.
        if content_key(record) != key:
            _agree(self.safe_url, load(connection, [id_])[0], record)

    def _require_sweep(self, connection: Connection, sweep_id: str) -> int:
        if sweep_id not in self._sweep_ids:
            found = connection.scalar(select(sweep_table.c.id).where(sweep_table.c.key == sweep_id))
            if found is None:
                known = connection.scalars(select(sweep_table.c.key)).all()
                raise StoreError(
                    f"{self.safe_url} has no sweep {sweep_id!r}. {did_you_mean(sweep_id, known)}"
                )
            self._sweep_ids[sweep_id] = found
        return self._sweep_ids[sweep_id]


def _agree(store: str, stored: Record, record: Record) -> None:
    old, new = stored.to_dict(), record.to_dict()
    if old == new:
        return
    differing = [name for name in new if old[name] != new[name]]
    raise RecordConflict(
        f"{store}: two records of sweep {record.sweep_id}, {record.kernel.name} on "
        f"{record.problem.summary()} (job {record.job_key}), launch {record.launch}, attempt "
        f"{record.attempt}: the stored one is {stored.status} of {stored.started_at or '?'} (content "
        f"{stored.content_key}), the other {record.status} of {record.started_at or '?'} (content "
        f"{record.content_key}); they differ in {', '.join(differing)}"
    )


def _batches(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    iterator = iter(records)
    while batch := list(islice(iterator, size)):
        yield batch
