"""What follows a failure: another try, a final record, or a kernel set aside on a board.

infrastructure (actor, node)   tried again on another board, up to ``retries`` times, then lost
crashed                        once more on the same board: a flake or a fault? both are stored
out_of_memory, incorrect,      final: they would end so again
skipped, invalid, error, timeout
STRIKES in a row by a kernel   its other jobs on that board are skipped, with this reason
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass

from harness.measure.request import Request
from harness.model import Record, Status, utc_now
from harness.model.record import RETRIED

STRIKES = (Status.CRASHED, Status.TIMEOUT, Status.ERROR)
"""What counts towards setting a kernel aside. Memory and accuracy depend on the problem."""
FLAKY = "flaky"
"""Flag of a record whose job had crashed before."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often what is tried again; conf/cluster says it."""

    retries: int = 2
    """Further tries of a job whose worker or node was lost."""
    crash_retries: int = 1
    """Further tries of a job whose kernel took its process down."""
    set_aside_after: int = 5
    """Failures in a row of one kernel on one board, after which it is set aside; 0: never."""


class Failures:
    """The failures of a sweep so far, and what the policy makes of the next one."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._crashes: dict[tuple[str, int], int] = defaultdict(int)
        self._losses: dict[tuple[str, int], int] = defaultdict(int)
        self._in_a_row: dict[tuple[str, str], int] = defaultdict(int)
        self._aside: dict[tuple[str, str], str] = {}

    def began(self, request: Request) -> None:
        """Attempts that an interrupted run has stored were crashes: nothing else is tried again."""
        if request.attempt:
            self._crashes[_place(request)] = request.attempt

    def judged(self, board: str, request: Request, record: Record) -> tuple[Record, bool]:
        """The record as it is stored, and whether it is final (else the job is tried again)."""
        place = _place(request)
        if record.status is Status.CRASHED and self._crashes[place] < self._policy.crash_retries:
            self._crashes[place] += 1
            return dataclasses.replace(record, flags=(*record.flags, RETRIED)), False
        if record.status is Status.OK and self._crashes[place]:
            record = dataclasses.replace(record, flags=(*record.flags, FLAKY))
        self._count(board, request, record)
        return record, True

    def lost(self, request: Request, why: str) -> Record | None:
        """The final record of a job whose worker was lost, or None: it is tried again."""
        place = _place(request)
        self._losses[place] += 1
        if self._losses[place] <= self._policy.retries:
            return None
        reason = f"its worker was lost {self._losses[place]} times: {why}"
        return request.failed(Status.LOST, reason, started_at=utc_now())

    def aside(self, board: str, request: Request) -> Record | None:
        """The record of a request whose kernel was set aside on this board, else None."""
        reason = self._aside.get((board, request.job.kernel.id))
        if reason is None:
            return None
        return request.failed(Status.SKIPPED, reason, started_at=utc_now())

    def _count(self, board: str, request: Request, record: Record) -> None:
        who = (board, request.job.kernel.id)
        if record.status not in STRIKES:
            if record.status is Status.OK:
                self._in_a_row[who] = 0
            return
        self._in_a_row[who] += 1
        limit = self._policy.set_aside_after
        if limit and self._in_a_row[who] >= limit:
            self._aside[who] = (
                f"set aside on {board} for this sweep: {self._in_a_row[who]} failures in a row "
                f"(cluster.set_aside_after={limit}), the last one {record.status}: {record.reason}"
            )


def _place(request: Request) -> tuple[str, int]:
    return request.job.key, request.launch
