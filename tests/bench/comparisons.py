"""Comparisons of simulated sweeps with planted truth: false verdicts, changes found, speed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.analysis.compare import Verdict
from tests.analysis.compare.planted import NOISES, called, judged, normal
from tests.bench.row import Row, row, timed

CELLS = 1000
SWEEPS = 50
CHANGED = CELLS // 100


def rows() -> Iterator[Row]:
    """False verdicts in 1,000 cells, means of 50 pairs of sweeps; the share of changes found."""
    for name, noise in NOISES.items():
        for launches in (3, 5):
            false = [len(called(judged(noise, seed, CELLS, launches))) for seed in range(SWEEPS)]
            yield Row(
                f"false of 1,000, {launches} launches, {name}",
                float(np.mean(false)),
                0.0,
                "cells",
                "<= 1",
            )
    for launches, aim in ((3, ""), (5, ">= 75 %"), (10, "")):
        hits, unchanged = [], []
        for seed in range(SWEEPS):
            found = judged(normal, seed, CELLS, launches, 0.03, CHANGED).verdict[:CHANGED]
            hits.append(sum(v is Verdict.REGRESSED for v in found))
            unchanged.append(sum(v is Verdict.UNCHANGED for v in found))
        share = float(np.mean(hits)) / CHANGED * 100
        yield Row(f"+3 % on 1 % of cells found, {launches} launches", share, 0.0, "%", aim)
        share = float(np.mean(unchanged)) / CHANGED * 100
        yield Row(f"the same called unchanged, {launches} launches", share, 0.0, "%", "0 %")
    times = [timed(lambda: judged(normal, 1, CELLS, 5)) * 1e3 for _ in range(5)]
    yield row("1,000 cells judged", times, "ms")
