"""The Ray dispatcher: an actor for each device, a queue for each actor, records as they come.

What is measured where is the course's affair (harness.dispatch.course); here actors are started,
asked and replaced. Nodes are looked at every LOOK_S: one that joins late gets work, one that is
gone gives it back. A board whose actor is lost gets a fresh one while its node lives.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic, sleep
from typing import Any

from harness.dispatch.base import Event, Finished, Started, together
from harness.dispatch.course import Course
from harness.dispatch.lanes import Group, Lane, Lanes
from harness.dispatch.policy import Failures, RetryPolicy
from harness.dispatch.ray_cluster import (
    DESCRIBE_TIMEOUT_S,
    Board,
    Opening,
    Place,
    RayCluster,
    WorkerGone,
)
from harness.errors import AttnbenchWarning, DispatchError, MeasureError
from harness.measure.request import Request
from harness.model import Gpu, Record, Status, utc_now
from harness.model.gpu import CPU

POLL_S = 0.2
"""How often ``stop`` is looked at."""
LOOK_S = 2.0
"""How often the nodes are looked at."""
GRACE_S = 10.0
"""How long the first deal of work waits for boards that have not answered yet."""
BACK_S = 60.0
"""How long a GPU all of whose boards are gone is waited for at least."""
HEAD_GONE_S = 10.0
"""After so long without an answer the head counts as gone."""


class RayDispatcher:
    """See Dispatcher. Survives the loss of any actor or node but the driver's own and the head."""

    def __init__(
        self,
        cluster: RayCluster,
        known: Mapping[str, Gpu],
        policy: RetryPolicy | None = None,
        *,
        wait_s: float = 0.0,
        cost_s: Callable[[Request], float] = lambda request: 1.0,
        before: Mapping[Group, str] | None = None,
    ) -> None:
        """``wait_s``: for a GPU to join. ``cost_s`` and ``before``: see Lanes."""
        self._cluster = cluster
        self._known = known
        self._wait_s = wait_s
        self._stopped = False
        self._course = Course(Lanes(cost_s, before), Failures(policy or RetryPolicy()))
        self._wanted: dict[str, Gpu] = {}
        self._boards: dict[str, Board] = {}
        self._places: dict[Place, str] = {}  # board's name; "" while it opens, or isn't wanted
        self._openings: dict[Any, tuple[Opening, float]] = {}
        self._running: dict[Any, tuple[str, Request]] = {}
        self._idle: set[str] = set()
        self._others: set[str] = set()
        self._down: set[Place] = set()
        self._looked = self._answered = self._stuck_since = monotonic()

    def run(self, requests: Sequence[Request]) -> Iterator[Event]:
        """See Dispatcher."""
        if not requests:
            return
        self._wanted = {request.job.gpu.name: request.job.gpu for request in requests}
        self._open_first()
        if self._stopped:
            return
        self._course.give(requests)
        while not self._stopped:
            yield from self._start_idle()
            if not self._course.left:
                return
            ended: list[Finished] = []
            for reference in self._ready():
                if reference in self._openings:
                    self._opened(reference)
                else:
                    ended += self._finish(reference)
            yield from self._start_idle()  # the boards go on while their records are stored
            yield from together(ended)
            self._look()
            self._despair()

    # Boards come and go

    def _open_first(self) -> None:
        """Boards for every GPU asked for. Raises DispatchError where one can't be had."""
        began = monotonic()
        complete: float | None = None
        self._open_places()
        while not self._stopped:
            for reference in self._ready():
                self._opened(reference, first=True)
            missing = set(self._wanted) - {board.gpu.name for board in self._boards.values()}
            waited = monotonic() - began
            if not missing:
                complete = complete or monotonic()
                if not self._openings or monotonic() - complete > GRACE_S:
                    return
            elif not self._openings and waited >= self._wait_s:
                have = (
                    ", ".join(sorted(self._others | self._have() | self._cluster.others)) or "none"
                )
                after = f" after {waited:.0f} s" if self._wait_s else ""
                raise DispatchError(
                    f"no node has a GPU named {', '.join(sorted(missing))}{after}; there are: "
                    f"{have}. cluster.wait_s=SECONDS waits for one to join"
                )
            self._look()

    def _have(self) -> set[str]:
        return {board.gpu.name for board in self._boards.values()}

    def _open_places(self) -> None:
        """Start an actor at every place that has none."""
        cpus = any(gpu.kind == CPU for gpu in self._wanted.values())
        gpus = any(gpu.kind != CPU for gpu in self._wanted.values())
        labels = {gpu.ray_accelerator_type for gpu in self._wanted.values() if gpu.kind != CPU}
        if "" in labels:  # a GPU that Ray has no name for may be anywhere
            labels.clear()
        there = self._cluster.places(gpus=gpus, cpus=cpus, labels=labels)
        for place in there:
            if place not in self._places:
                self._places[place] = ""
                self._open(place)
        for place in set(self._places) - set(there):  # its node is gone
            name = self._places.pop(place)
            self._down.discard(place)
            if name in self._boards:
                del self._boards[name]
                self._idle.discard(name)
                self._course.lanes.close(name)

    def _opened(self, reference: Any, *, first: bool = False) -> None:
        """An actor has said what it owns, or died."""
        opening, _ = self._openings.pop(reference)
        place = opening.place
        try:
            board = self._cluster.board(opening, {**self._known, **self._wanted})
        except WorkerGone:
            self._down.add(place)  # the next look tries again, while the node lives
            return
        except DispatchError as error:
            if first:
                raise
            warnings.warn(f"not used: {error}", AttnbenchWarning, stacklevel=2)
            return
        gpu = self._wanted.get(board.gpu.name)
        if gpu is None or place not in self._places:
            self._others.add(board.gpu.name)
            self._cluster.kill(board.actor)
            return
        board.actor.open.remote(gpu)
        self._boards[board.name] = board
        self._places[place] = board.name
        self._idle.add(board.name)
        known_as = (board.uuid.removeprefix("GPU-") or place.host,)
        self._course.lanes.open(Lane(board.name, gpu.name, place.node_id, known_as))

    def _open(self, place: Place) -> None:
        opening = self._cluster.open(place)
        self._openings[opening.said] = opening, monotonic()

    def _look(self) -> None:
        """Now and then: is the head there, which nodes are, and does every worker start?"""
        now = monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        if not self._cluster.answers():
            if now - self._answered > HEAD_GONE_S:
                raise DispatchError(
                    f"Ray's head at {self._cluster.head} no longer answers: what is finished is "
                    "stored, the same command with resume=true runs the rest"
                )
            return
        self._answered = now
        self._open_places()
        while self._down:
            self._open(self._down.pop())
        for opening, since in list(self._openings.values()):
            if now - since > DESCRIBE_TIMEOUT_S and not self._cluster.busy(opening.place):
                raise DispatchError(
                    f"no worker could be started on node {opening.place.host} within "
                    f"{DESCRIBE_TIMEOUT_S:.0f} s; is attnbench installed there?"
                )

    def _despair(self) -> None:
        """Raise DispatchError where work has waited too long for a board of its GPU."""
        stuck = self._course.lanes.waiting()
        if not stuck:
            self._stuck_since = monotonic()
        elif monotonic() - self._stuck_since > max(BACK_S, self._wait_s):
            raise DispatchError(
                f"the last node with GPU {', '.join(sorted(stuck))} was lost and none came back; "
                "what it finished is stored, run again with resume=true when there is one"
            )

    # Requests

    def _start_idle(self) -> Iterator[Event]:
        for name in sorted(self._idle):
            if self._stopped:
                return
            events, request = self._course.next(name)
            yield from events
            if request is not None:
                self._idle.discard(name)
                reference = self._boards[name].actor.measure.remote(request)
                self._running[reference] = name, request
                yield Started(request, name)

    def _ready(self) -> list[Any]:
        """What has come in; waits for it up to POLL_S."""
        import ray

        pending = [*self._openings, *self._running]
        if not pending:
            sleep(POLL_S)
            return []
        ready, rest = ray.wait(pending, num_returns=1, timeout=POLL_S)
        if ready and rest:  # and whatever else is there already
            more, _ = ray.wait(rest, num_returns=len(rest), timeout=0)
            ready += more
        return list(ready)

    def _finish(self, reference: Any) -> list[Finished]:
        import ray
        from ray.exceptions import RayError, RayTaskError

        name, request = self._running.pop(reference)
        try:
            record: Record = ray.get(reference)
        except RayTaskError as error:
            if not isinstance(error.cause, MeasureError):
                raise DispatchError(f"a worker's own code failed: {error}") from error
            reason = f"the harness could not measure it: {error.cause}"
            record = request.failed(Status.ERROR, reason, started_at=utc_now())
        except RayError as error:
            return self._lost(name, request, str(error).splitlines()[0])
        self._idle.add(name)
        return [self._course.ended(name, request, record)]

    def _lost(self, name: str, request: Request, why: str) -> list[Finished]:
        """The board's actor is gone: it gets another, and its job is tried again or given up."""
        if name in self._boards:
            board = self._boards[name]
            self._course.lanes.suspend(name)
            self._cluster.kill(board.actor)  # it may hold the GPU still, if only "unavailable"
            self._open(board.place)
        ended = self._course.lost(name, request, why)
        return [ended] if ended else []

    def stop(self) -> None:
        """See Dispatcher."""
        self._stopped = True

    def boards(self) -> list[Board]:
        """The devices it has in use."""
        return list(self._boards.values())

    def release(self) -> None:
        """End its actors; the connection to Ray stays."""
        for board in self._boards.values():
            self._cluster.kill(board.actor)
        for opening, _ in self._openings.values():
            self._cluster.kill(opening.actor)
        self._boards.clear()
        self._openings.clear()
        self._running.clear()
        self._places.clear()

    def close(self) -> None:
        """End its actors and leave Ray."""
        self.release()
        self._cluster.close()
