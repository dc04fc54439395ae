"""A sweep's log for machines: a JSON object a line, with the ids of sweep, job and attempt."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TextIO

from harness.dispatch.base import Event, Started
from harness.errors import ConfigError
from harness.masking import masked
from harness.model import utc_now

STANDARD_ERROR = "-"


class EventLog(AbstractContextManager["EventLog"]):
    """Writes events as they happen, and flushes each: what reads it may follow it."""

    def __init__(self, target: str | None, sweep_id: str) -> None:
        """``target``: a file, which is appended to; "-" standard error; None writes nothing.

        Raises ConfigError where the file can't be written.
        """
        self._sweep_id = sweep_id
        self._file: TextIO | None = None
        if target == STANDARD_ERROR:
            self._file = sys.stderr
        elif target is not None:
            try:
                self._file = Path(target).open("a", encoding="utf-8")  # noqa: SIM115
            except OSError as error:
                raise ConfigError(f"--log {target} can't be written: {error.strerror}") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.say("failed", error=f"{type(error).__name__}: {error}")
        if self._file is not None and self._file is not sys.stderr:
            self._file.close()

    def say(self, event: str, **facts: str | int | float) -> None:
        """A line of the sweep itself."""
        if self._file is not None:
            line = {"time": utc_now(), "event": event, "sweep": self._sweep_id, **facts}
            self._file.write(masked(json.dumps(line, ensure_ascii=False)) + "\n")
            self._file.flush()

    def listen(self, event: Event) -> None:
        """A line of a job."""
        request = event.request
        ids: dict[str, str | int | float] = {
            "job": request.job.key,
            "launch": request.launch,
            "attempt": request.attempt,
            "kernel": request.job.kernel.name,
            "problem": request.job.problem.summary(),
            "gpu": request.job.gpu.name,
        }
        if isinstance(event, Started):
            self.say("started", **ids, worker=event.worker)
            return
        record = event.record
        ids |= {"status": str(record.status), "duration_s": record.duration_s}
        if record.device is not None:
            ids |= {"host": record.device.host, "device": record.device.uuid}
        if record.reason:
            ids["reason"] = record.reason
        self.say("finished" if event.final else "tried", **ids)
