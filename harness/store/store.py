"""Store: the result database, opened by ``open_store``. It knows nothing of ranks or charts."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from types import TracebackType

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from harness.errors import AttnbenchWarning, StoreError
from harness.model import External, Record, Status, Sweep, utc_now
from harness.model.record import RETRIED
from harness.store import engine as engines
from harness.store import migrate
from harness.store.externals import insert_externals, stored_externals
from harness.store.reading import load, sweep_number
from harness.store.schema import external_result, job, result
from harness.store.schema import sweep as sweep_table
from harness.store.sweeps import StoredSweep, check_state, stored_sweep
from harness.store.url import parse_url, safe_text, sqlite_path
from harness.store.writing import Writer

BATCH = 1000
"""Records of one transaction of ``append_many``, so that another writer gets its turn."""

_PAGE = 500


def open_store(url: str, *, create: bool = False, read_only: bool = False) -> Store:
    """Open the result database at ``url`` (forms: harness.store.url), or with ``create`` make it.

    Read-only, SQLite's file is opened as such and works in a folder that can't be written.

        with open_store("results/attnbench.db", create=True) as store:
            store.start_sweep(sweep, skips)
            store.append(record)

    Warns with AttnbenchWarning where it is to be written on a network file system.

    Raises:
        SchemaMismatch: the schema is older (the message names the upgrade command) or newer.
        StoreError: no store there, not a store, damaged, or no permission. Whatever is there is
            left as it was, and nothing is left where nothing was.
    """
    parsed = parse_url(url)
    if not read_only and (shared := engines.network_file_system(parsed)):
        warnings.warn(
            f"{sqlite_path(parsed)} lies on a network file system ({shared}): two machines that "
            "write there damage a SQLite file. Keep it on a local disk, or use Postgres",
            AttnbenchWarning,
            stacklevel=2,
        )
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

    Durability: what a method has written is committed when it returns, and a kill of the process at
    any instant leaves all of a transaction or nothing. (A power cut can take a SQLite file's last
    seconds with it, never more: `resume` runs them again.) Idempotence: the same record twice is
    one row. Threads: any number may share a Store; their writes take turns. Processes: each opens
    its own, never one from before a fork (refused). Several may write one SQLite file on a local
    disk; each waits up to 30 s for its turn.

    Every method raises StoreError, with the store's name in it, when the database fails.
    """

    def __init__(self, url: URL, engine: Engine, read_only: bool) -> None:
        self._url = url
        self._engine = engine
        self._read_only = read_only
        self._writer = Writer(safe_text(url))
        self._lock = threading.RLock()
        self._process = os.getpid()

    @property
    def safe_url(self) -> str:
        """The URL without its password."""
        return safe_text(self._url)

    @property
    def url(self) -> URL:
        """The address, with its password: to connect with, never to be printed."""
        return self._url

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine, for upkeep; all else goes through ``reading`` and ``writing``."""
        return self._engine

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

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write, committed when it is left normally."""
        self._check_process()
        if self._read_only:
            raise StoreError(f"{self.safe_url} was opened read-only: it can't be written")
        with self._lock, engines.translated(self._url):
            try:
                with engines.writing(self._engine) as connection:
                    yield connection
            except BaseException:
                self._writer.forget()
                raise

    # Writing

    def start_sweep(self, sweep: Sweep, skips: Iterable[Record] = ()) -> None:
        """Store a sweep as running, with what its plan skipped, in one transaction.

        Starting the same sweep again (a resume) sets it running and adds what is missing.

        Raises:
            RecordConflict: another sweep, or another skip, has this identity.
        """
        with self.writing() as connection:
            self._writer.start(connection, sweep)
            for batch in _batches(skips, BATCH):
                self._writer.insert(connection, batch)

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

    def append_externals(self, results: Sequence[External]) -> int:
        """Store results of other tools, all in one transaction; how many were new.

        Raises:
            RecordConflict: another result of a series has this time and version.
            StoreError: one says what no store can keep.
        """
        with self.writing() as connection:
            return insert_externals(connection, results, self.safe_url)

    def finish_sweep(self, sweep_id: str, state: str) -> None:
        """Note that a sweep has ended: done, interrupted or failed."""
        check_state(state)
        with self.writing() as connection:
            number = sweep_number(connection, sweep_id)
            connection.execute(
                update(sweep_table)
                .where(sweep_table.c.id == number)
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
            number = sweep_number(connection, sweep_id)
            row = connection.execute(select(sweep_table).where(sweep_table.c.id == number))
            return stored_sweep(dict(row.mappings().one()))

    def records(self, sweep_id: str | None = None) -> Iterator[Record]:
        """Every record stored when the iteration starts, or those of one sweep, as they arrived."""
        wanted = select(result.c.id).order_by(result.c.id)
        with self.reading() as connection:
            if sweep_id is not None:
                number = sweep_number(connection, sweep_id)
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
        """The (job_key, launch) of a sweep that need not run again: those with a final record.

        A crash that is tried once more is stored with the flag RETRIED; of itself it ends nothing.
        """
        with self.reading() as connection:
            number = sweep_number(connection, sweep_id)
            done = select(job.c.key, result.c.launch).join(job).where(result.c.sweep_id == number)
            final = done.where(result.c.flags.notlike(f'%"{RETRIED}"%'))
            return {(key, launch) for key, launch in connection.execute(final)}

    def attempts(self, sweep_id: str) -> dict[tuple[str, int], int]:
        """How many attempts are stored of each (job_key, launch) that has no final record."""
        with self.reading() as connection:
            number = sweep_number(connection, sweep_id)
            tried = (
                select(job.c.key, result.c.launch, func.max(result.c.attempt))
                .join(job)
                .where(result.c.sweep_id == number)
                .group_by(job.c.key, result.c.launch)
            )
            found = {(key, launch): last + 1 for key, launch, last in connection.execute(tried)}
        done = self.finished(sweep_id)
        return {place: count for place, count in found.items() if place not in done}

    def tally(self, sweep_id: str) -> dict[Status, int]:
        """How many records of a sweep ended how."""
        with self.reading() as connection:
            number = sweep_number(connection, sweep_id)
            counts = (
                select(result.c.status, func.count())
                .where(result.c.sweep_id == number)
                .group_by(result.c.status)
            )
            return {Status(status): count for status, count in connection.execute(counts)}

    def externals(self) -> Iterator[External]:
        """Every result of another tool, as they arrived. None was checked against an oracle."""
        with self.reading() as connection:
            yield from stored_externals(connection)

    def has_externals(self) -> bool:
        """Whether there is any result of another tool."""
        with self.reading() as connection:
            return connection.scalar(select(external_result.c.id).limit(1)) is not None

    # Inside

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise StoreError(
                f"{self.safe_url} was opened before a fork: open it again in the child"
            )

    def _write(self, records: Sequence[Record]) -> int:
        try:
            with self.writing() as connection:
                return self._writer.insert(connection, records)
        except StoreError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
        # Another process stored one of these between our look and our insert (not with SQLite,
        # whose writers exclude each other): now it is found, and compared.
        with self.writing() as connection:
            return self._writer.insert(connection, records)


def _batches(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    iterator = iter(records)
    while batch := list(islice(iterator, size)):
        yield batch
