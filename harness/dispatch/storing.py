"""Storing what a sweep measures while its database comes and goes.

A server is restarted, a network breaks, a disk fills up: no reason to end a sweep of hours on
rented GPUs. What can't be stored now is kept in a file, and stored as soon as the database
takes it; only after PATIENCE_S without that does the sweep end, and then the file stays.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from harness.errors import RecordConflict, StoreError
from harness.model import Record
from harness.store import Store
from harness.store.engine import passing

PATIENCE_S = 600.0
"""How long a database may be away, s: a server's update takes minutes."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 20.0
"""Between two tries, s; each pause is twice the one before."""

LOOK_S = 0.2
"""How often, while it waits, it looks whether it is to stop, s."""


class Storing:
    """Writes a sweep's records into ``store``, waiting for it where waiting helps.

    ``say`` gets a line for people: that it waits, and that it goes on. The file is
    ``unstored-SWEEP.jsonl`` in ``folder``; `attnbench store import` reads it. Once ``stopped`` says
    so, nothing is waited for any more.
    """

    def __init__(
        self,
        store: Store,
        sweep_id: str,
        say: Callable[[str], None],
        *,
        folder: Path | None = None,
        patience_s: float = PATIENCE_S,
        stopped: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._store = store
        self._sweep_id = sweep_id
        self._say = say
        self._file = (folder or Path()) / f"unstored-{sweep_id}.jsonl"
        self._patience_s = patience_s
        self._stopped = stopped
        self._sleep = sleep or self._pause

    def append(self, *records: Record) -> None:
        """Store records in one transaction. While that fails, they are in the file.

        Raises StoreError where they can't be stored: after PATIENCE_S, because waiting wouldn't
        help, or because it is to stop; the message names the file.
        """
        try:
            self._store.append_many(records)
        except RecordConflict:  # no later try changes that, and the other record is stored
            if len(records) == 1:
                raise
            for record in records:
                self.append(record)
        except StoreError as error:
            kept = self.keep(*records)
            try:
                self._again(error, lambda: self._store.append_many(records), kept)
            except StoreError as last:
                raise StoreError(f"{last}; {kept}") from last
            self._file.unlink(missing_ok=True)

    def finish(self, state: str) -> None:
        """Note that the sweep has ended. Raises StoreError as ``append`` does."""
        try:
            self._store.finish_sweep(self._sweep_id, state)
        except StoreError as error:
            self._again(error, lambda: self._store.finish_sweep(self._sweep_id, state), "")

    def keep(self, *records: Record) -> str:
        """Write ``records`` into the file; in words, where they are."""
        before = self._file.stat().st_size if self._file.exists() else 0
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.writelines(record.text() + "\n" for record in records)
        except OSError as error:
            self._take_back(before)
            return (
                f"the record at hand can't be kept in {self._file} either ({error.strerror}): the "
                "same command with resume=true measures it again"
            )
        return (
            f"the record at hand is in {self._file}: `attnbench store import {self._file} --store "
            f"{self._store.safe_url}` stores it, and the same command with resume=true goes on"
        )

    def _again(self, error: StoreError, write: Callable[[], object], kept: str) -> None:
        """``write`` until it succeeds, or the last error."""
        waited, pause = 0.0, FIRST_PAUSE_S
        while True:
            if not passing(error) or waited >= self._patience_s or self._stopped():
                raise error
            if not waited:
                minutes = round(self._patience_s / 60)
                self._say(f"{error}. Trying again for {minutes} minutes; {kept or 'please wait'}")
            self._sleep(pause)
            if self._stopped():  # a try may take as long as a server's silence
                raise error
            waited += pause
            pause = min(2 * pause, LONGEST_PAUSE_S)
            try:
                write()
            except StoreError as again:
                error = again
            else:
                self._say(f"{self._store.safe_url} answers again after {waited:.0f} s")
                return

    def _pause(self, pause_s: float) -> None:
        end = time.monotonic() + pause_s
        while not self._stopped() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_S))

    def _take_back(self, size: int) -> None:
        """Leave no half of a line, which would make the whole file unreadable."""
        with contextlib.suppress(OSError):
            if size:
                os.truncate(self._file, size)
            else:
                self._file.unlink(missing_ok=True)
