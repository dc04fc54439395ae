"""Which board measures what, and next: pure bookkeeping, without Ray and without a clock.

A problem's kernels go to one board and stay on it in every launch, since boards of one model differ
(DESIGN.md, decisions 1 and 2). Groups are dealt longest first to the board with the least work
(Graham's LPT rule, SIAM J. Appl. Math. 17(2), 1969), but to the board that measured their series
before as long as that board isn't the busiest by more than SLACK. Within a launch a board keeps the
shuffled order that it is given. A board that runs dry takes work over from the one with most of it:
whole problems where it can, else the part of one launch that has not begun.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping

from harness.measure.request import Request

SLACK = 0.02
"""How far above an even share a board may be loaded to keep the series it measured before."""

TAIL = 0.02
"""In the last launch, parts longer than this share of their board's work go before the others: one
of them begun last would keep a single board busy when all the others are done."""

Group = tuple[str, str]
"""The GPU asked for and the key of the problem."""


class Unit:
    """The kernels of one problem in one launch: what stays together on a board."""

    def __init__(self, group: Group, launch: int) -> None:
        self.group = group
        self.launch = launch
        self.requests: deque[Request] = deque()
        self.cost = 0.0
        self.begun = False


class Lane:
    """A board's queue. ``up``: it can take work; a lane that isn't keeps its queue meanwhile."""

    def __init__(self, name: str, gpu: str, node: str, known_as: Iterable[str] = ()) -> None:
        self.name = name
        self.gpu = gpu
        self.node = node
        self.known_as = frozenset(known_as)
        """Under which names earlier results know the board: host, UUID."""
        self.up = True
        self.units: deque[Unit] = deque()
        self.load = 0.0
        """Estimated seconds of what waits."""

    def add(self, unit: Unit, *, first: bool = False) -> None:
        """Take a unit in."""
        if first:
            self.units.appendleft(unit)
        else:
            self.units.append(unit)
        self.load += unit.cost

    def take(self, unit: Unit) -> None:
        """Give a unit away."""
        self.units.remove(unit)
        self.load -= unit.cost


class Lanes:
    """All boards of a sweep and what waits for them."""

    def __init__(
        self, cost_s: Callable[[Request], float], before: Mapping[Group, str] | None = None
    ) -> None:
        """``cost_s`` estimates a request; ``before`` names the board that measured a group last."""
        self._cost_s = cost_s
        self._before = before or {}
        self._lanes: dict[str, Lane] = {}
        self._of: dict[str, list[Lane]] = defaultdict(list)
        self._dry: set[str] = set()
        self._lost_on: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._waiting: dict[str, list[Unit]] = defaultdict(list)

    def __getitem__(self, name: str) -> Lane:
        return self._lanes[name]

    def open(self, lane: Lane) -> None:
        """A board is there (again, or late): what waited for its GPU goes to it."""
        old = self._lanes.get(lane.name)
        if old is not None:
            old.up = True
            return
        self._lanes[lane.name] = lane
        self._of[lane.gpu].append(lane)
        self._dry.discard(lane.gpu)
        self._deal(lane.gpu, self._waiting.pop(lane.gpu, []))

    def suspend(self, name: str) -> None:
        """Its worker is gone and may come back; others may take its work over meanwhile."""
        self._lanes[name].up = False
        self._dry.discard(self._lanes[name].gpu)

    def close(self, name: str) -> None:
        """The board won't come back: the others of its GPU get its work."""
        lane = self._lanes.pop(name)
        self._of[lane.gpu].remove(lane)
        self._deal(lane.gpu, list(lane.units))

    def give(self, requests: Iterable[Request]) -> None:
        """Deal requests, given launch after launch in the order to run."""
        units: dict[tuple[Group, int], Unit] = {}
        for request in requests:
            group = (request.job.gpu.name, request.job.problem.key)
            unit = units.setdefault((group, request.launch), Unit(group, request.launch))
            unit.requests.append(request)
            unit.cost += self._cost_s(request)
        by_gpu: dict[str, list[Unit]] = defaultdict(list)
        for unit in units.values():
            by_gpu[unit.group[0]].append(unit)
        for gpu, some in by_gpu.items():
            self._deal(gpu, some)

    def again(self, request: Request, lost_on: str) -> None:
        """A request whose worker was lost: first thing on a board that has not lost it yet, on
        another node if there is one."""
        lane = self._lanes.get(lost_on)
        gpu = request.job.gpu.name
        node = lane.node if lane else ""
        lost = self._lost_on[request.job.key, request.launch]
        lost.add(lost_on)
        others = [x for x in self._of[gpu] if x.up and x is not lane]
        if others:
            lane = min(others, key=lambda x: (x.name in lost, x.node == node, x.load))
        unit = Unit((gpu, request.job.problem.key), request.launch)
        unit.requests.append(request)
        unit.cost = self._cost_s(request)
        self._dry.discard(gpu)
        if lane is None:
            self._waiting[gpu].insert(0, unit)
        else:
            lane.add(unit, first=True)

    def next(self, name: str) -> Request | None:
        """What the board measures next; None where nothing is left for it."""
        lane = self._lanes[name]
        if not lane.units and not self._take_over(lane):
            return None
        unit = lane.units[0]
        request = unit.requests.popleft()
        cost = self._cost_s(request)
        unit.cost -= cost
        lane.load -= cost
        unit.begun = True
        if not unit.requests:
            lane.take(unit)
        return request

    def hold(self, name: str, request: Request) -> None:
        """Have the board measure ``request`` next."""
        lane = self._lanes[name]
        unit = Unit((request.job.gpu.name, request.job.problem.key), request.launch)
        unit.requests.append(request)
        unit.cost = self._cost_s(request)
        lane.add(unit, first=True)

    def waiting(self) -> set[str]:
        """GPUs for which something waits and no board is open, or none of them is up."""
        stuck = {gpu for gpu, units in self._waiting.items() if units}
        for gpu, lanes in self._of.items():
            if any(lane.units for lane in lanes) and not any(lane.up for lane in lanes):
                stuck.add(gpu)
        return stuck

    def _deal(self, gpu: str, units: list[Unit]) -> None:
        lanes = self._of[gpu]
        if not lanes:
            self._waiting[gpu] += units
            return
        self._dry.discard(gpu)
        groups: dict[Group, list[Unit]] = defaultdict(list)
        for unit in units:
            groups[unit.group].append(unit)
        cost = {group: sum(unit.cost for unit in some) for group, some in groups.items()}
        share = (sum(lane.load for lane in lanes) + sum(cost.values())) / len(lanes)
        owner: dict[Group, Lane] = {}
        former = {name: lane for lane in lanes for name in lane.known_as}
        load = _Least(lanes)
        for group in sorted(groups, key=lambda g: (-cost[g], g)):
            lane = former.get(self._before.get(group, ""))
            if lane is None or load.of(lane) + cost[group] > share * (1 + SLACK):
                lane = load.least()
            owner[group] = lane
            load.add(lane, cost[group])
        final = max((unit.launch for unit in units), default=0)
        for late in (False, True):
            for unit in units:
                lane = owner[unit.group]
                short = unit.launch == final and unit.cost < TAIL * load.of(lane)
                if short == late:
                    lane.add(unit)

    def _take_over(self, thief: Lane) -> bool:
        """Move work to a board that has none, from the one with most of it."""
        if thief.gpu in self._dry:
            return False
        lanes = self._of[thief.gpu]
        busiest = max(lanes, key=_load)  # nearly always enough, and sorting a thousand isn't cheap
        for victim in (busiest, *sorted(lanes, key=_load, reverse=True)):
            moved = _movable(victim) if victim is not thief else []
            for unit in moved:
                victim.take(unit)
                thief.add(unit)
            if moved:
                return True
        self._dry.add(thief.gpu)
        return False


def _movable(victim: Lane) -> list[Unit]:
    """What another board takes over: about half of the work that the victim has not begun."""
    free = [unit for unit in victim.units if not unit.begun or not victim.up]
    if not free:
        return []
    half = victim.load / 2
    groups: dict[Group, list[Unit]] = defaultdict(list)
    for unit in free:
        groups[unit.group].append(unit)
    chosen: set[int] = set()
    taken = 0.0
    for group in sorted(groups, key=lambda g: -sum(u.cost for u in groups[g])):
        cost = sum(u.cost for u in groups[group])
        if taken + cost <= half:
            chosen |= {id(unit) for unit in groups[group]}
            taken += cost
    if chosen:
        return [unit for unit in free if id(unit) in chosen]
    fitting = [unit for unit in free if unit.cost <= half]  # one launch's part of a problem
    return [max(fitting, key=_cost) if fitting else min(free, key=_cost)]


def _cost(unit: Unit) -> float:
    return unit.cost


def _load(lane: Lane) -> float:
    return lane.load


class _Least:
    """The least loaded lane, by a heap of loads that are brought up to date when they surface."""

    def __init__(self, lanes: list[Lane]) -> None:
        self._load = {id(lane): lane.load for lane in lanes}
        self._heap = [(lane.load, number, lane) for number, lane in enumerate(lanes)]
        heapq.heapify(self._heap)

    def of(self, lane: Lane) -> float:
        return self._load[id(lane)]

    def add(self, lane: Lane, cost: float) -> None:
        self._load[id(lane)] += cost

    def least(self) -> Lane:
        while True:
            load, number, lane = self._heap[0]
            if load == self._load[id(lane)]:
                return lane
            heapq.heapreplace(self._heap, (self._load[id(lane)], number, lane))
