"""The stop rule on synthetic series: no device needed."""

from __future__ import annotations

import random

import pytest

from harness.measure.stop import BUDGET, INTERVAL, MAX_SAMPLES, StopRule
from harness.model import Timing, median_interval


def feed(rule: StopRule, samples: list[float], step_s: float = 0.001) -> tuple[int, str]:
    """How many samples it took, and why it stopped."""
    for n, sample in enumerate(samples, 1):
        reason = rule.add(sample, n * step_s)
        if reason:
            return n, reason
    raise AssertionError("the rule never stopped")


def test_a_quiet_series_stops_at_its_first_look() -> None:
    rule = StopRule(Timing(min_samples=10, min_time_s=0.0))
    assert feed(rule, [1.0] * 100) == (10, INTERVAL)


def test_it_looks_only_after_doubling() -> None:
    noise = random.Random(0)
    samples = [1 + noise.gauss(0, 0.05) for _ in range(5000)]
    rule = StopRule(Timing(min_samples=10, min_time_s=0.0, budget_s=100))
    count, reason = feed(rule, samples)
    assert reason == INTERVAL
    assert count in [10 * 2**k for k in range(10)]
    assert count > 10


def test_it_waits_for_the_least_timed_work() -> None:
    rule = StopRule(Timing(min_samples=10, min_time_s=0.1))
    count, reason = feed(rule, [1.0] * 1000)  # 1 ms each: 100 of them make 0.1 s
    assert (count, reason) == (100, INTERVAL)


def test_a_noisy_series_ends_with_its_budget() -> None:
    noise = random.Random(0)
    rule = StopRule(Timing(budget_s=0.5, relative_ci=1e-6, min_time_s=0.0))
    count, reason = feed(rule, [1 + noise.random() for _ in range(1000)])
    assert (count, reason) == (500, BUDGET)


def test_a_slow_kernel_has_one_sample_at_least() -> None:
    rule = StopRule(Timing(budget_s=0.1))
    assert rule.add(5000.0, elapsed_s=5.0) == BUDGET
    assert rule.samples_ms == [5000.0]


def test_a_slow_kernel_gets_the_samples_of_an_interval_within_five_budgets() -> None:
    rule = StopRule(Timing(budget_s=1.0, min_time_s=0.0))
    assert feed(rule, [300.0] * 10, step_s=0.3) == (6, BUDGET)
    rule = StopRule(Timing(budget_s=1.0, min_time_s=0.0))
    assert feed(rule, [2000.0] * 10, step_s=2.0) == (3, BUDGET)


def test_most_samples_end_it() -> None:
    rule = StopRule(Timing(max_samples=25, relative_ci=1e-9, min_time_s=0.0, budget_s=100))
    samples = [1.0, 2.0] * 50
    assert feed(rule, samples) == (25, MAX_SAMPLES)


@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_the_interval_keeps_its_coverage_under_the_rule(noise: float) -> None:
    """The true median lies inside in at least 93 % of series stopped by the rule."""
    inside, series = 0, 400
    for seed in range(series):
        draw = random.Random(seed)
        rule = StopRule(Timing(min_samples=10, min_time_s=0.0, max_samples=640, budget_s=100))
        while rule.add(1 + draw.gauss(0, noise), 0.0) is None:
            pass
        interval = median_interval(rule.samples_ms)
        assert interval is not None
        inside += interval[0] <= 1.0 <= interval[1]
    assert inside / series >= 0.93
