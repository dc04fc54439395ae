"""Comparison: two sides of a store, compared in one metric.

with open_store("results/attnbench.db", read_only=True) as store:
    found = compare(store, "last~1", "last", metric="latency")
found.cells[["problem", "kernel", "ratio", "low", "high", "verdict"]]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sqlalchemy import Connection, select

from harness.analysis.compare.environments import Difference, differences
from harness.analysis.compare.launches import Launches
from harness.analysis.compare.moderation import Prior
from harness.analysis.compare.pairing import Pairs, launches_of, pair
from harness.analysis.compare.reading import Filters, read_sides
from harness.analysis.compare.refusals import mixed_units, must_have_pairs
from harness.analysis.compare.sides import Side
from harness.analysis.compare.summary import Mean, geometric_mean
from harness.analysis.compare.verdicts import (
    BOARD_SPREAD,
    FALSE_DISCOVERIES,
    Verdict,
    judge_launches,
)
from harness.analysis.metrics import Metric, metric_named
from harness.errors import ConfigError
from harness.model import Gpu, Problem
from harness.store import Store, schema
from harness.store.rows import problem_of

PAIRED_BY = {
    **dict.fromkeys(("max_error", "rmse_ratio", "cosine", "error_over_baseline"), "launch"),
    **dict.fromkeys(("peak_memory_mb", "device_peak_memory_mb", "kv_cache_mb"), "gpu"),
}
"""Metrics that don't depend on the board, and what pairs them instead of it: launches of one number
have the same inputs, so errors repeat by launch; a peak is that of the model."""
ORDER = ("regressed", "improved", "suspect", "unknown", "insufficient", "unchanged")
"""What matters first."""


@dataclass(frozen=True)
class Comparison:
    """What a comparison found."""

    a: Side
    """What the ratios are relative to."""
    b: Side
    """What is compared with it."""
    by: str | None
    """The axis whose values A and B are; None where they are sweeps, tags, commits or dates."""
    metric: Metric
    """The figure that was compared."""
    cells: pd.DataFrame
    """A row a cell of both sides, what matters first: identity (``kernel``, ``problem``, ``dtype``,
    ``device``, ``mode`` …), ``before`` and ``after`` (geometric means of the launches, in the
    metric's unit), ``ratio`` with ``low`` and ``high`` (95 %), ``p``, ``q``, ``spread``,
    ``launches_before`` and ``launches_after``, ``verdict``, ``suspect``, ``reason``."""
    one_sided: pd.DataFrame
    """A row a cell with a number on one side alone, with what became of the other."""
    failing: int
    """Cells that failed on both sides."""
    environment: tuple[Difference, ...]
    """In what else the sides differ."""
    mean: Mean
    """Geometric mean of all ratios."""
    by_kernel: dict[str, Mean]
    """The same by kernel (with ``by``: by kernel too, unless kernels are compared)."""
    prior: Prior
    """What the cells say of each other's spread."""
    least_effect: float
    """The least relevant effect, as a share; a cell may have its own."""
    launches: tuple[int, int]
    """Most launches of a cell on either side."""
    sweeps: tuple[str, str] = ("", "")
    """The newest sweep of either side."""

    def count(self, verdict: str) -> int:
        """Cells with a verdict, or ``suspect``."""
        return int((kinds(self.cells) == verdict).sum())

    @property
    def newly_failing(self) -> pd.DataFrame:
        """Cells that have a number in A, and in B ended otherwise than skipped or not run."""
        one = self.one_sided
        return one[(one["has"] == "A") & ~one["status"].isin(["missing", "skipped"])]


def kinds(cells: pd.DataFrame) -> pd.Series:
    """The verdict of each row, ``suspect`` for what is insufficient but points to a change."""
    return cells["verdict"].astype(str).where(~cells["suspect"].astype(bool), "suspect")


def compare(
    store: Store,
    a: str,
    b: str,
    *,
    by: str | None = None,
    metric: str = "latency",
    filters: Filters | None = None,
    gpus: Mapping[str, Gpu] | None = None,
    least_effect: float | None = None,
    least_effect_of: Callable[[str], float] | None = None,
    false_discoveries: float = FALSE_DISCOVERIES,
) -> Comparison:
    """Compare B with A; what they may be says harness.analysis.compare.sides, ``by`` … .axes.

    ``least_effect`` (a share) replaces the metric's; ``least_effect_of`` gives it by kernel name.
    ``gpus`` are the hardware facts that the share of peak needs.

    Raises:
        ConfigError: a side that names nothing, nothing in common, modes or units or operators that
            don't compare, an unknown metric.
        StoreError: the database can't be read.
    """
    figure = metric_named(metric)
    sides, frame = read_sides(store, (a, b), by, filters or Filters(), gpus)
    with store.reading() as connection:
        keys = list(map(str, frame["problem_key"].unique()))
        problems = _problems(connection, keys) if by in ("dtype", "direction") else {}
        pairs = pair(frame, by, problems)
        if pairs.cells.empty and pairs.one_sided.empty and not pairs.failing:
            must_have_pairs(frame, by)
        if pairs.cells.empty and set(pairs.one_sided["status"]) <= {"missing"}:
            must_have_pairs(frame, by)
        environment = differences(connection, frame)
    values = figure.formula(pairs.rows)
    units = mixed_units(pairs.rows, figure.name)
    if units and len(units) == len(pairs.cells):
        raise ConfigError(f"--metric {metric} can't be compared: {next(iter(units.values()))}")
    values = values.where(~pairs.rows["cell"].isin(units.keys()))
    common = figure.least_effect if least_effect is None else least_effect
    least = _least_effects(pairs, least_effect_of or (lambda kernel: common))
    launches = launches_of(
        pairs.rows, values, len(pairs.cells), PAIRED_BY.get(figure.name, "device_uuid")
    )
    boards = 0.0 if by in ("gpu", "board") or figure.name in PAIRED_BY else BOARD_SPREAD
    judged = judge_launches(
        launches, least, figure.higher_is_better, false_discoveries, boards_differ_by=boards
    )
    cells = pairs.cells.assign(
        before=_means(launches, 0),
        after=_means(launches, 1),
        ratio=judged.ratio,
        low=judged.low,
        high=judged.high,
        p=judged.p,
        q=judged.q,
        spread=judged.spread,
        least_effect=least,
        launches_before=judged.before,
        launches_after=judged.after,
        verdict=[str(v) for v in judged.verdict],
        suspect=judged.suspect,
        reason=[units.get(i, reason) for i, reason in enumerate(judged.reason)],
    )
    positive = launches.only(launches.value > 0)
    return Comparison(
        a=sides[0],
        b=sides[1],
        by=by,
        metric=figure,
        cells=_sorted(cells),
        one_sided=pairs.one_sided,
        failing=pairs.failing,
        environment=tuple(environment),
        mean=judged.mean,
        by_kernel=_by_kernel(pairs, positive),
        prior=judged.prior,
        least_effect=figure.least_effect if least_effect is None else least_effect,
        launches=(int(judged.before.max(initial=0)), int(judged.after.max(initial=0))),
        sweeps=tuple(  # type: ignore[arg-type]
            max(frame.loc[frame["side"] == side, "sweep_id"], default="") for side in (0, 1)
        ),
    )


def _problems(connection: Connection, keys: list[str]) -> dict[str, Problem]:
    found = {}
    for start in range(0, len(keys), 500):
        some = schema.problem.c.key.in_(keys[start : start + 500])
        for row in connection.execute(select(schema.problem).where(some)).mappings():
            found[row["key"]] = problem_of(dict(row))
    return found


def _least_effects(pairs: Pairs, of_kernel: Callable[[str], float]) -> np.ndarray:
    return np.array([of_kernel(str(name)) for name in pairs.cells["kernel"]], dtype=np.float64)


def _means(launches: Launches, side: int) -> np.ndarray:
    """Geometric means of the launches by cell; arithmetic where a value has no logarithm."""
    mine = launches.only(launches.side == side)
    count = mine.count(side)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.bincount(mine.cell, np.log(mine.value), launches.cells) / count
        plain = np.bincount(mine.cell, mine.value, launches.cells) / count
    return np.where(np.isfinite(logs), np.exp(logs), plain)


def _by_kernel(pairs: Pairs, launches: Launches) -> dict[str, Mean]:
    kernels = pairs.cells["kernel"].to_numpy()
    names = sorted(set(map(str, kernels)))
    if len(names) < 2:
        return {}
    return {n: geometric_mean(launches.only((kernels == n)[launches.cell])) for n in names}


def _sorted(cells: pd.DataFrame) -> pd.DataFrame:
    rank = kinds(cells).map({name: i for i, name in enumerate(ORDER)})
    size = np.abs(np.log(cells["ratio"]))
    ranked = cells.assign(_rank=rank, _size=-size)
    keys = ["_rank", "_size", "kernel", "problem"]
    return ranked.sort_values(keys, kind="stable")[list(cells)].reset_index(drop=True)


__all__ = ["Comparison", "Verdict", "compare", "kinds", "metric_named"]
