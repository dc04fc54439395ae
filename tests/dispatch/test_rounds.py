"""The order of a sweep."""

from __future__ import annotations

from itertools import groupby

from tests.dispatch.conftest import Planner, requests_of

AXES = ("kernel=honest,eager,sdpa_math", "workload.seq_len=range(16,256,16)", "timing.launches=3")


def test_every_job_once_a_launch_and_launches_in_order(plan_of: Planner) -> None:
    plan = plan_of(*AXES)
    requests = requests_of(plan)
    launches = [request.launch for request in requests]
    assert launches == sorted(launches)
    for launch in range(3):
        keys = [r.job.key for r in requests if r.launch == launch]
        assert sorted(keys) == sorted(job.key for job in plan.jobs)


def test_kernels_of_one_problem_are_neighbours(plan_of: Planner) -> None:
    requests = [r for r in requests_of(plan_of(*AXES)) if r.launch == 0]
    runs = [key for key, _ in groupby(requests, key=lambda r: r.job.problem.key)]
    assert len(runs) == len(set(runs)) == 15


def test_each_launch_and_sweep_has_its_own_order_and_the_same_one_again(plan_of: Planner) -> None:
    plan = plan_of(*AXES)

    def order(sweep: str, launch: int) -> list[str]:
        return [r.job.key for r in requests_of(plan, sweep) if r.launch == launch]

    assert order("a", 0) == order("a", 0)
    assert order("a", 0) != order("a", 1)
    assert order("a", 0) != order("b", 0)


def test_kernels_of_a_problem_share_their_values_and_no_launch_repeats_them(
    plan_of: Planner,
) -> None:
    requests = requests_of(plan_of(*AXES))
    seeds: dict[tuple[str, int], set[tuple[int, int]]] = {}
    for r in requests:
        seeds.setdefault((r.job.problem.key, r.launch), set()).add(r.seeds())
    assert all(len(found) == 1 for found in seeds.values())
    assert len({found.copy().pop() for found in seeds.values()}) == len(seeds)
