"""Change points on series with planted truth: false positives, steps found, delay, speed."""

from __future__ import annotations

from collections.abc import Iterator
from math import copysign

from harness.analysis.history import detect_changes
from tests.analysis.history.planted import NOISES, series
from tests.bench.row import Row, row, timed

SERIES = 1000
POINTS = 200
NEAR = 3


def found(name: str, step: float, at: int) -> float:
    """Share of SERIES in which a step of this size is found within NEAR points, sign right."""
    hits = 0
    for seed in range(SERIES):
        changes = detect_changes(series(NOISES[name], seed, POINTS, step, at))
        hits += any(abs(c.index - at) <= NEAR and c.direction == copysign(1, step) for c in changes)
    return hits / SERIES


def rows() -> Iterator[Row]:
    """Rates in percent of 1,000 series of 200 points, and the time those take on one core."""
    for name, noise in NOISES.items():
        flagged = sum(bool(detect_changes(series(noise, s, POINTS))) for s in range(SERIES))
        yield Row(f"false positives, {name}", flagged / SERIES * 100, 0.0, "%", "<= 1 %")
    for name in ("normal 1 %", "normal 2 %", "log-normal, outliers"):
        for step, aim in ((0.05, 95), (-0.05, 95), (0.03, 80), (-0.03, 80)):
            share = found(name, step, POINTS // 2) * 100
            yield Row(f"step {step:+.0%} found, {name}", share, 0.0, "%", f">= {aim} %")
    share = found("normal 1 %", 0.05, POINTS - 5) * 100
    yield Row("step +5 % found 5 points after, normal 1 %", share, 0.0, "%", "most")
    data = [series(noise, seed, POINTS) for seed in range(SERIES // 5) for noise in NOISES.values()]
    times = [timed(lambda: [detect_changes(values) for values in data]) for _ in range(3)]
    yield row("1,000 series of 200 points", times, "s", "< 5 s")
