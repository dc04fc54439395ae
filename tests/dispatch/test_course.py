"""What becomes of failures, which board measures what: the real logic on a simulated cluster."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest

from harness.dispatch.base import Event, Finished
from harness.dispatch.lanes import Group
from harness.dispatch.policy import RetryPolicy
from harness.measure.request import Request
from harness.model import Status
from tests.dispatch.matrix import durations, requests
from tests.dispatch.simulated import SimulatedCluster, finals


def one_s(request: Request) -> float:
    return 1.0


def place(event: Finished) -> tuple[str, int]:
    return event.record.job_key, event.record.launch


def run(cluster: SimulatedCluster, given: list[Request]) -> list[Event]:
    """All events; each request has exactly one final record, and no attempt is there twice."""
    events = list(cluster.run(given))
    assert Counter(map(place, finals(events))) == Counter((r.job.key, r.launch) for r in given)
    keys = [event.record.key for event in events if isinstance(event, Finished)]
    assert len(keys) == len(set(keys))
    return events


def test_a_crash_is_tried_once_more_and_both_attempts_are_kept() -> None:
    given = requests(4, kernels=1, launches=1)
    bad, flake = given[0].job.key, given[1].job.key
    seen: Counter[str] = Counter()

    def fate(request: Request, board: str) -> Status:
        seen[request.job.key] += 1
        if request.job.key == bad or (request.job.key == flake and seen[flake] == 1):
            return Status.CRASHED
        return Status.OK

    events = run(SimulatedCluster({"h100": 1}, one_s, fate=fate), given)
    of = defaultdict(list)
    for event in events:
        if isinstance(event, Finished):
            of[event.record.job_key].append(event.record)
    assert [(r.status, r.attempt, r.flags) for r in of[bad]] == [
        ("crashed", 0, ("retried",)),
        ("crashed", 1, ()),
    ]
    assert [(r.status, r.attempt, r.flags) for r in of[flake]] == [
        ("crashed", 0, ("retried",)),
        ("ok", 1, ("flaky",)),
    ]


@pytest.mark.parametrize(
    "status", [Status.OUT_OF_MEMORY, Status.INCORRECT, Status.SKIPPED, Status.ERROR, Status.TIMEOUT]
)
def test_what_would_end_so_again_is_not_tried_again(status: Status) -> None:
    given = requests(1, kernels=1, launches=1)
    cluster = SimulatedCluster({"h100": 2}, one_s, fate=lambda request, board: status)
    (event,) = [e for e in run(cluster, given) if isinstance(e, Finished)]
    assert (event.record.status, event.record.attempt) == (status, 0)


def test_a_lost_job_is_tried_on_another_board_and_then_is_lost() -> None:
    given = requests(1, kernels=1, launches=1)
    tried: list[str] = []

    def fate(request: Request, board: str) -> None:
        tried.append(board)

    cluster = SimulatedCluster({"h100": 3}, one_s, fate=fate, policy=RetryPolicy(retries=2))
    (event,) = finals(run(cluster, given))
    assert len(set(tried)) == len(tried) == 3
    assert event.record.status is Status.LOST
    assert "lost 3 times" in event.record.reason


def test_a_kernel_that_fails_in_a_row_is_set_aside_there_and_the_rest_goes_on() -> None:
    given = requests(12, kernels=2, launches=1)

    def fate(request: Request, board: str) -> Status:
        bad = board == "h100-0" and request.job.kernel.name == "kernel_1"
        return Status.TIMEOUT if bad else Status.OK

    cluster = SimulatedCluster({"h100": 2}, one_s, fate=fate, policy=RetryPolicy(set_aside_after=3))
    found = finals(run(cluster, given))
    good = [e.record.status for e in found if e.record.kernel.name == "kernel_0"]
    assert set(good) == {Status.OK}
    bad = Counter(e.record.status for e in found if e.record.kernel.name == "kernel_1")
    assert bad[Status.TIMEOUT] == 3
    assert bad[Status.SKIPPED] > 0
    assert bad[Status.OK] > 0, "the other board goes on with it"
    (reason,) = {e.record.reason for e in found if e.record.status is Status.SKIPPED}
    assert reason.startswith("set aside on h100-0 for this sweep: 3 failures in a row")
    assert "timeout: planted" in reason


def test_successes_between_failures_set_nothing_aside() -> None:
    given = requests(20, kernels=1, launches=1)
    turn: Counter[str] = Counter()

    def fate(request: Request, board: str) -> Status:
        turn[board] += 1
        return Status.OK if turn[board] % 3 == 0 else Status.ERROR

    cluster = SimulatedCluster({"h100": 1}, one_s, fate=fate, policy=RetryPolicy(set_aside_after=3))
    assert Status.SKIPPED not in {e.record.status for e in finals(run(cluster, given))}


def test_kernels_of_a_problem_stay_on_one_board_within_a_launch_and_mostly_beyond() -> None:
    given = requests(40, kernels=3, launches=3)
    took = durations(given)
    cluster = SimulatedCluster({"h100": 4}, lambda request: took[request.job.key])
    run(cluster, given)
    boards: dict[tuple[str, int], set[str]] = defaultdict(set)
    over: dict[str, set[str]] = defaultdict(set)
    for board, done in cluster.by_board.items():
        for request in done:
            boards[request.job.problem.key, request.launch].add(board)
            over[request.job.problem.key].add(board)
    assert all(len(names) == 1 for names in boards.values())
    assert sum(len(names) == 1 for names in over.values()) > 0.8 * len(over)


def test_a_board_measures_again_what_it_measured_before() -> None:
    given = requests(60, kernels=2, launches=1)
    took = durations(given)
    draw = random.Random(3)
    first = SimulatedCluster({"h100": 4}, lambda request: took[request.job.key])
    run(first, given)
    before: dict[Group, str] = {
        ("h100", request.job.problem.key): board
        for board, done in first.by_board.items()
        for request in done
    }
    draw.shuffle(given)
    again = SimulatedCluster({"h100": 4}, lambda request: took[request.job.key], before=before)
    run(again, given)
    same = [
        before["h100", request.job.problem.key] == board
        for board, done in again.by_board.items()
        for request in done
    ]
    assert sum(same) > 0.8 * len(same)


def test_a_board_that_joins_late_takes_work_over() -> None:
    given = requests(30, kernels=2, launches=2)
    cluster = SimulatedCluster({"h100": 1}, one_s, late={"h100": 10.0})
    run(cluster, given)
    assert len(cluster.by_board["h100-late"]) > 40
    assert cluster.now_s < 70


@pytest.mark.parametrize("seed", range(5))
def test_with_workers_lost_at_random_every_job_ends_once(seed: int) -> None:
    given = requests(20, kernels=3, launches=2, gpus=("h100", "l4"))
    took, draw = durations(given, seed), random.Random(seed)
    outcomes = [None, Status.CRASHED, *[Status.OK] * 8]
    cluster = SimulatedCluster(
        {"h100": 3, "l4": 1},
        lambda request: took[request.job.key],
        fate=lambda request, board: draw.choice(outcomes),
        late={"l4": 20.0},
    )
    run(cluster, given)


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_64_gpus_are_busy_to_the_end(spread: float) -> None:
    """Makespan within 5 % of the lower bound, with estimates that are exact, or off by a third."""
    given = requests(64 * 12, kernels=3, launches=2)
    took, draw = durations(given), random.Random(1)
    guess = {key: seconds * draw.lognormvariate(0, spread) for key, seconds in took.items()}
    cluster = SimulatedCluster(
        {"h100": 64},
        lambda request: took[request.job.key],
        cost_s=lambda request: guess[request.job.key],
    )
    run(cluster, given)
    total = sum(took[request.job.key] for request in given)
    bound = max(total / 64, *took.values())
    assert cluster.now_s <= 1.05 * bound
