"""Trials of kernels in a process of their own: one that crashes or hangs costs its trial alone."""

from __future__ import annotations

from types import TracebackType

from harness.hardware import usable_cores
from harness.measure.forks import Child, ForkServer, ending
from harness.measure.outcome import Outcome, Trial
from harness.measure.supervisor import worker_environment

LIMIT_S = 300.0
"""How long a trial may take, its compilation and its oracle included."""


class Trials:
    """Tries kernels on one kind of device, one trial after the other. Not thread-safe.

    A child is forked for the first trial and after each that failed: what a broken kernel left of
    its process must not fail the next one.
    """

    def __init__(self, kind: str, limit_s: float = LIMIT_S) -> None:
        """``kind`` of device: cpu, cuda or rocm."""
        self._device = "cpu" if kind == "cpu" else "cuda"
        self._limit_s = limit_s
        self._server = ForkServer(worker_environment(usable_cores()))
        self._child: Child | None = None

    def __enter__(self) -> Trials:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def attempt(self, trial: Trial) -> Outcome:
        """How ``trial`` ended; a crash and a hang are failures. Raises MeasureError."""
        if self._child is None:
            self._child = self._server.fork("trial", {"device": self._device})
        child = self._child
        try:
            child.connection.send(trial)
            if not child.connection.poll(self._limit_s):
                self._drop()
                return Outcome("failed", f"still running after {self._limit_s:g} s, killed")
            outcome: Outcome = child.connection.recv()
        except (EOFError, ConnectionError):
            self._child = None
            return Outcome("failed", ending(child.reap()))
        if outcome.status == "failed":
            self._drop()
        return outcome

    def _drop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def close(self) -> None:
        """End every process it started."""
        self._drop()
        self._server.close()
