"""Change points by Apache Otava and by asv of the series in a file, in their own environment.

Reads JSON, a list of series; writes for each tool its seconds and, for each series, the positions
and ratios of what it found. Both as they are by default: Otava with its t-test at p ≤ 0.001, asv
with every step of its fit; ``detectors`` holds all to the same least effect afterwards.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from time import perf_counter

from asv.step_detect import detect_steps
from otava.series import AnalysisOptions, Metric, Series

Found = list[tuple[int, float]]


def otava(values: list[float]) -> Found:
    """Position and ratio of each change point."""
    named = {"ms": values}
    series = Series("series", None, list(range(len(values))), {"ms": Metric()}, named, {})
    found = series.analyze(AnalysisOptions()).change_points["ms"]
    return [(int(c.index), float(c.stats.mean_2 / c.stats.mean_1)) for c in found]


def asv(values: list[float]) -> Found:
    """Position and ratio of each border between two levels."""
    steps = detect_steps(values)
    return [(right[0], right[2] / left[2]) for left, right in pairwise(steps)]


def main() -> None:
    """Every series through both."""
    tools: dict[str, Callable[[list[float]], Found]] = {"Apache Otava": otava, "asv": asv}
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    answers = {}
    for name, detect in tools.items():
        start = perf_counter()
        found = [detect(values) for values in given]
        answers[name] = {"seconds": perf_counter() - start, "found": found}
    json.dump(answers, sys.stdout)


main()
