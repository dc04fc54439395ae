"""Reading: the launches of both sides as one tidy frame, a row a launch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.analysis.cells import final_attempts
from harness.analysis.compare.sides import Side, common_sweep, newest, resolve
from harness.analysis.query import Names, results
from harness.errors import ConfigError
from harness.model import Gpu
from harness.store import Store, schema

_R = schema.result.c
MORE = {
    "cost_model": _R.cost_model,
    "memory_source": _R.memory_source,
    "environment_id": _R.environment_id,
    "revision_id": _R.revision_id,
    "timing_id": _R.timing_id,
}
"""Columns beside those of ``results``: what a figure was measured with."""
ENVIRONMENTAL = ("env.", "commit", "source", "library_version")
"""Axes whose values don't meet in one sweep: each side is then the newest of its own."""


@dataclass(frozen=True)
class Filters:
    """What narrows both sides; as in ``harness.analysis.query.results``."""

    kernel: Names = None
    dtype: Names = None
    gpu: Names = None
    experiment: Names = None
    sweep: Names = None
    since: str | None = None

    def given(self) -> dict[str, Any]:
        """The filters that were given."""
        return {name: value for name, value in vars(self).items() if value}

    def describe(self) -> str:
        """The filters in words."""
        words = (
            f"{name} {value if isinstance(value, str) else ', '.join(value)}"
            for name, value in self.given().items()
        )
        return ", ".join(words)


def read_sides(
    store: Store,
    names: tuple[str, str],
    by: str | None,
    filters: Filters,
    gpus: Mapping[str, Gpu] | None,
) -> tuple[tuple[Side, Side], pd.DataFrame]:
    """Both sides, and their launches: the columns of ``results``, MORE, and ``side`` (0 or 1).

    Of each series a side takes its newest sweep; with ``by`` both take the newest sweep that has
    both, if there is one: what was measured together compares best.

    Raises:
        ConfigError: a side can't be resolved, has no results, or both are the same.
    """
    with store.reading() as connection:
        sides = (resolve(connection, names[0], by), resolve(connection, names[1], by))
        together = None
        if by is not None and filters.sweep is None and not by.startswith(ENVIRONMENTAL):
            together = common_sweep(connection, sides)
        chosen = [newest(connection, side) for side in sides]
    if str(sides[0].where.compile(compile_kwargs={"literal_binds": True})) == str(
        sides[1].where.compile(compile_kwargs={"literal_binds": True})
    ):
        raise ConfigError(f"A and B are both {sides[0].label}: nothing to compare")
    frames = []
    for number, (side, newest_of) in enumerate(zip(sides, chosen, strict=True)):
        given = filters.given()
        series = newest_of if together is None else dict.fromkeys(newest_of, together)
        if filters.sweep is None:
            given["sweep"] = sorted(set(series.values()))
        frame = results(store, gpus=gpus, only=(side.where,), more=MORE, **given)
        frame = _newest_rows(final_attempts(frame), series if filters.sweep is None else None)
        if frame.empty:
            narrowed = f" that match {filters.describe()}" if filters.given() else ""
            raise ConfigError(f"{side.asked} ({side.label}) has no results{narrowed}")
        frames.append(frame.assign(side=number))
    sides = _named_together(sides, together)
    return sides, _without_the_same(pd.concat(frames, ignore_index=True), by)


def _newest_rows(frame: pd.DataFrame, series: Mapping[str, str] | None) -> pd.DataFrame:
    """The rows of each series' newest sweep; of a job that never reached a device, the newest."""
    if frame.empty:
        return frame
    of_job = frame.groupby("job_key")["sweep_id"].transform("max")
    wanted = of_job if series is None else frame["series_key"].map(dict(series)).fillna(of_job)
    return frame[frame["sweep_id"] == wanted]


def _named_together(sides: tuple[Side, Side], sweep: str | None) -> tuple[Side, Side]:
    if sweep is None:
        return sides
    a, b = (Side(side.asked, f"{side.label} in sweep {sweep}", side.where) for side in sides)
    return a, b


def _without_the_same(frame: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """Leave out what both sides took from one sweep: nothing new was measured between them.

    Raises ConfigError where nothing else is left.
    """
    if by is not None:
        return frame
    keys = ["sweep_id", "job_key", "launch"]
    same = frame.duplicated(keys, keep=False)
    if same.all():
        raise ConfigError("A and B are the same results: nothing was measured between them")
    return frame[~same].reset_index(drop=True)
