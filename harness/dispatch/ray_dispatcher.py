"""The Ray dispatcher: an actor for each device, a queue for each actor, records as they come.

A problem's kernels go to one board and stay on it in every launch, since boards of one model
differ (DESIGN.md, decisions 1 and 2). A board that is lost is replaced on its node, or its queue
goes to the others; its job is tried again up to ``retries`` times and then recorded as lost.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.dispatch.base import Event, Finished, Started
from harness.dispatch.ray_cluster import Board, RayCluster
from harness.errors import DispatchError, MeasureError
from harness.measure.request import Request
from harness.model import Gpu, Status, utc_now
from harness.model.gpu import CPU

POLL_S = 0.2
"""How often ``stop`` is looked at."""


class _Lane:
    """A board, what waits for it, and what it has in hand."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.queue: deque[Request] = deque()
        self.running: tuple[Any, Request] | None = None


class RayDispatcher:
    """See Dispatcher. Survives the loss of any actor or node but the driver's own."""

    def __init__(self, cluster: RayCluster, known: Mapping[str, Gpu], retries: int) -> None:
        self._cluster = cluster
        self._known = known
        self._retries = retries
        self._stopped = False
        self._lanes: list[_Lane] = []

    def run(self, requests: Sequence[Request]) -> Iterator[Event]:
        """See Dispatcher."""
        if not requests:
            return
        self._open_lanes(requests)
        while not self._stopped:
            yield from self._start_idle()
            running = {lane.running[0]: lane for lane in self._lanes if lane.running}
            if not running:
                return
            import ray

            ready, _ = ray.wait(list(running), num_returns=1, timeout=POLL_S)
            for reference in ready:
                ended = list(self._finish(running[reference]))
                yield from self._start_idle()  # the board goes on while its record is stored
                yield from ended

    def _open_lanes(self, requests: Sequence[Request]) -> None:
        wanted = {request.job.gpu.name: request.job.gpu for request in requests}
        boards = self._cluster.boards(
            {**self._known, **wanted}, with_cpus=any(g.kind == CPU for g in wanted.values())
        )
        for board in boards:
            gpu = wanted.get(board.gpu.name)
            if gpu is None:
                self._cluster.release(board)
            else:
                board.actor.open.remote(gpu)
                self._lanes.append(_Lane(board))
        missing = sorted(set(wanted) - {lane.board.gpu.name for lane in self._lanes})
        if missing:
            have = ", ".join(sorted({board.gpu.name for board in boards})) or "none"
            raise DispatchError(f"no node has a GPU named {', '.join(missing)}; there are: {have}")
        self._share_out(requests)

    def _share_out(self, requests: Sequence[Request]) -> None:
        """Problem groups go to the boards of their GPU, largest first, each to the least loaded."""
        groups: dict[tuple[str, str], list[Request]] = {}
        for request in requests:
            key = (request.job.gpu.name, request.job.problem.key)
            groups.setdefault(key, []).append(request)
        owner: dict[tuple[str, str], _Lane] = {}
        load = {id(lane): 0 for lane in self._lanes}
        for key in sorted(groups, key=lambda k: (-len(groups[k]), k)):
            lanes = [lane for lane in self._lanes if lane.board.gpu.name == key[0]]
            owner[key] = min(lanes, key=lambda lane: load[id(lane)])
            load[id(owner[key])] += len(groups[key])
        for request in requests:  # in the order given: launch after launch
            owner[(request.job.gpu.name, request.job.problem.key)].queue.append(request)

    def _start_idle(self) -> Iterator[Event]:
        for lane in self._lanes:
            if lane.running is None and lane.queue and not self._stopped:
                request = lane.queue.popleft()
                lane.running = (lane.board.actor.measure.remote(request), request)
                yield Started(request, lane.board.name)

    def _finish(self, lane: _Lane) -> Iterator[Event]:
        import ray
        from ray.exceptions import RayActorError, RayError, RayTaskError

        assert lane.running is not None
        reference, request = lane.running
        lane.running = None
        try:
            record = ray.get(reference)
        except RayTaskError as error:
            if not isinstance(error.cause, MeasureError):
                raise DispatchError(f"a worker's own code failed: {error}") from error
            reason = f"the harness could not measure it: {error.cause}"
            record = request.failed(Status.ERROR, reason, started_at=utc_now())
        except (RayActorError, RayError) as error:
            yield from self._lost(lane, request, str(error).splitlines()[0])
            return
        yield Finished(request, record)

    def _lost(self, lane: _Lane, request: Request, why: str) -> Iterator[Event]:
        """The board's actor is gone: replace it, and try its job again or give it up."""
        fresh = self._cluster.reopen(lane.board)
        if fresh is None:
            self._lanes.remove(lane)
            others = [x for x in self._lanes if x.board.gpu.name == lane.board.gpu.name]
            if not others:
                raise DispatchError(
                    f"the last node with GPU {lane.board.gpu.name} was lost: {why}; "
                    "what it finished is stored, run again with resume=true when it is back"
                )
            for number, waiting in enumerate(lane.queue):
                others[number % len(others)].queue.append(waiting)
            lane = others[0]
        else:
            fresh.actor.open.remote(request.job.gpu)
            lane.board = fresh
        if request.attempt < self._retries:
            lane.queue.appendleft(dataclasses.replace(request, attempt=request.attempt + 1))
            return
        reason = f"its worker was lost {request.attempt + 1} times: {why}"
        yield Finished(request, request.failed(Status.LOST, reason, started_at=utc_now()))

    def stop(self) -> None:
        """See Dispatcher."""
        self._stopped = True

    def boards(self) -> list[Board]:
        """The devices it has in use."""
        return [lane.board for lane in self._lanes]

    def release(self) -> None:
        """End its actors; the connection to Ray stays."""
        for lane in self._lanes:
            self._cluster.release(lane.board)
        self._lanes.clear()

    def close(self) -> None:
        """End its actors and leave Ray."""
        self.release()
        self._cluster.close()
