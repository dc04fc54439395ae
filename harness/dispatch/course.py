"""The course of a sweep: what a board does next, and what becomes of what it did.

Puts the boards' queues (lanes) and the retry policy together. Pure bookkeeping: the Ray dispatcher
and the simulated cluster of the tests drive the same one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from harness.dispatch.base import Event, Finished
from harness.dispatch.lanes import Lanes
from harness.dispatch.policy import Failures
from harness.measure.request import Request
from harness.model import Record


class Course:
    """Of one sweep. ``left`` counts the requests that have no final record yet."""

    def __init__(self, lanes: Lanes, failures: Failures) -> None:
        self.lanes = lanes
        self.left = 0
        self._failures = failures

    def give(self, requests: Sequence[Request]) -> None:
        """Take the sweep's requests, in the order to run."""
        for request in requests:
            self._failures.began(request)
        self.left += len(requests)
        self.lanes.give(requests)

    def next(self, board: str) -> tuple[list[Event], Request | None]:
        """What a free board measures, and what ends without it: jobs of kernels set aside."""
        events: list[Event] = []
        while (request := self.lanes.next(board)) is not None:
            skipped = self._failures.aside(board, request)
            if skipped is None:
                break
            self.left -= 1
            events.append(Finished(request, skipped))
        return events, request

    def ended(self, board: str, request: Request, record: Record) -> Finished:
        """A board has measured ``request``."""
        record, final = self._failures.judged(board, request, record)
        if final:
            self.left -= 1
        else:
            self.lanes.hold(board, _next_attempt(request))
        return Finished(request, record, final)

    def lost(self, board: str, request: Request, why: str) -> Finished | None:
        """The worker that had ``request`` in hand is gone; None: it is tried elsewhere."""
        record = self._failures.lost(request, why)
        if record is not None:
            self.left -= 1
            return Finished(request, record)
        self.lanes.again(_next_attempt(request), board)
        return None


def _next_attempt(request: Request) -> Request:
    return dataclasses.replace(request, attempt=request.attempt + 1)
