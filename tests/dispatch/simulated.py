"""A cluster that exists as numbers alone: the real course of a sweep, driven by a virtual clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from harness.dispatch.base import Event, Finished, Started
from harness.dispatch.course import Course
from harness.dispatch.lanes import Group, Lane, Lanes
from harness.dispatch.policy import Failures, RetryPolicy
from harness.measure.request import Request
from harness.model import Accuracy, Record, Status

AT_HAND_S = 0.1
"""What ends within so long of virtual time, a driver finds together."""

Fate = Callable[[Request, str], Status | None]
"""How a request ends on a board; None: the board's worker is lost with it."""


def measured(request: Request, status: Status, duration_s: float, board: str) -> Record:
    """A record as a worker would give it, without a device."""
    if status is not Status.OK:
        return request.failed(status, f"planted on {board}", duration_s=duration_s)
    job = request.job
    return Record(
        sweep_id=request.sweep_id,
        kernel=job.kernel,
        problem=job.problem,
        gpu=job.gpu.name,
        timing=job.timing,
        status=status,
        launch=request.launch,
        attempt=request.attempt,
        samples_ms=(1.0,),
        accuracy=Accuracy(0.0, 0.0, 1.0),
        duration_s=duration_s,
    )


class SimulatedCluster:
    """See Dispatcher. ``now_s`` is its clock; ``by_board`` who measured what."""

    def __init__(
        self,
        boards: Mapping[str, int],
        duration_s: Callable[[Request], float],
        *,
        cost_s: Callable[[Request], float] | None = None,
        before: Mapping[Group, str] | None = None,
        policy: RetryPolicy | None = None,
        fate: Fate = lambda request, board: Status.OK,
        back_after_s: float = 5.0,
        late: Mapping[str, float] | None = None,
    ) -> None:
        """``boards`` counts those of each GPU. A lost worker is back after ``back_after_s``, unless
        the fate of its board is ``gone``. ``late``: GPUs of which one more board joins, and when.
        """
        self.now_s = 0.0
        self.by_board: dict[str, list[Request]] = {}
        self._duration_s = duration_s
        self._course = Course(
            Lanes(cost_s or duration_s, before), Failures(policy or RetryPolicy())
        )
        self._fate = fate
        self._back_after_s = back_after_s
        self._events: list[tuple[float, int, str, Request | None]] = []
        self._tie = count()
        self._stopped = False
        self._gpu = {f"{gpu}-{n}": gpu for gpu, many in boards.items() for n in range(many)}
        for gpu, at in (late or {}).items():
            self._gpu[f"{gpu}-late"] = gpu
            self._later(at, f"{gpu}-late", None)
        for name in list(self._gpu):
            if not name.endswith("-late"):
                self._join(name)

    def _join(self, name: str) -> None:
        self._course.lanes.open(Lane(name, self._gpu[name], f"node-of-{name}", (name,)))
        self.by_board.setdefault(name, [])

    def _later(self, at: float, name: str, request: Request | None) -> None:
        heapq.heappush(self._events, (at, next(self._tie), name, request))

    def run(self, requests: Sequence[Request]) -> Iterator[Event]:
        """See Dispatcher."""
        self._course.give(requests)
        idle = set(self.by_board)
        while not self._stopped:
            for name in sorted(idle):
                ended, request = self._course.next(name)
                yield from ended
                if request is not None:
                    idle.discard(name)
                    self._later(self.now_s + self._duration_s(request), name, request)
                    yield Started(request, name)
            if not self._events or not self._course.left:
                return
            self.now_s, _, name, request = heapq.heappop(self._events)
            if request is None:  # it joins, or is back
                self._join(name)
            else:
                status = self._fate(request, name)
                if status is None:
                    self._course.lanes.suspend(name)
                    self._later(self.now_s + self._back_after_s, name, None)
                    final = self._course.lost(name, request, "planted")
                    if final:
                        yield final
                    continue
                self.by_board[name].append(request)
                record = measured(request, status, self._duration_s(request), name)
                ended = self._course.ended(name, request, record)
                # What a driver finds at hand when it looks again.
                soon = bool(self._events) and self._events[0][0] - self.now_s < AT_HAND_S
                yield replace(ended, more=soon)
            idle.add(name)

    def stop(self) -> None:
        """See Dispatcher."""
        self._stopped = True

    def close(self) -> None:
        """Nothing was started."""


def finals(events: Sequence[Event]) -> list[Finished]:
    """The final ones."""
    return [event for event in events if isinstance(event, Finished) and event.final]
