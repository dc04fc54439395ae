"""History and comparison of what other tools measured."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from harness.analysis.external import COLUMNS, compare_versions, externals
from harness.store import Store
from tests.store.test_externals import ONE


def at(version: str, *values: float, day: int = 1, **changes: object):
    when = f"2026-01-{day:02}T00:00:00.000000+00:00"
    return replace(ONE, version=version, values=values, measured_at=when, **changes)


def verdict(store: Store, *results: object) -> pd.Series:
    store.append_externals(list(results))
    frame = compare_versions(externals(store), "a", "b")
    assert len(frame) == 1
    assert not frame["checked"].any()
    return frame.iloc[0]


def test_history_is_in_order_of_time_and_says_that_it_is_unchecked(store: Store) -> None:
    late, early = at("b", 2.0, day=9), at("a", 1.0, 3.0, day=2)
    store.append_externals([late, early, replace(early, benchmark="prefill", device="L4")])
    frame = externals(store, benchmark="dec*")
    assert list(frame.columns) == COLUMNS
    assert list(frame["value"]) == [2.0, 2.0]
    assert list(frame["values"]) == [(1.0, 3.0), (2.0,)]
    assert set(frame["operator"]) == {"external"}
    assert set(frame["checked"]) == {False}
    assert len(externals(store, device="L4")) == 1
    assert len(externals(store, since="2026-01-05")) == 1
    assert externals(store, version=["x", "y"]).empty
    assert len(externals(store, source="csv", measure="latency")) == 3


def test_single_values_are_history_and_no_comparison(store: Store) -> None:
    row = verdict(store, at("a", 1.0), at("b", 9.0))
    assert row.verdict == "insufficient"
    assert "1 of the 3 repeats" in row.reason
    assert (row.before, row.after) == (1.0, 9.0)


@pytest.mark.parametrize(
    ("old", "new", "higher", "expected"),
    [
        ((1.0, 1.01, 0.99, 1.0), (1.2, 1.21, 1.19, 1.2), False, "regressed"),
        ((1.0, 1.01, 0.99, 1.0), (1.2, 1.21, 1.19, 1.2), True, "improved"),
        ((1.0, 1.01, 0.99, 1.0), (1.2, 1.21, 1.19, 1.2), None, "unknown"),
        ((1.0, 1.001, 0.999, 1.0), (1.001, 1.0, 0.999, 1.0), False, "unchanged"),
        ((2.0, 2.0, 2.0), (2.0, 2.0, 2.0), False, "unchanged"),
        ((2.0, 2.0, 2.0), (1.0, 1.0, 1.0), False, "improved"),
        ((1.0, 2.0, 0.5), (1.1, 2.2, 0.6), False, "unknown"),
        ((0.0, 1.0, 1.0), (1.0, 1.0, 1.0), False, "insufficient"),
    ],
)
def test_repeats_of_a_run_are_compared(
    store: Store, old: tuple[float, ...], new: tuple[float, ...], higher: bool, expected: str
) -> None:
    row = verdict(
        store, at("a", *old, higher_is_better=higher), at("b", *new, higher_is_better=higher)
    )
    assert (row.verdict, row.basis) == (expected, "repeats of one run")


def test_runs_are_compared_where_there_are_enough_of_them(store: Store) -> None:
    quiet = [at("a", v, v, v, day=i) for i, v in enumerate((1.0, 1.3, 0.8), 1)]
    later = [at("b", v, v, v, day=i) for i, v in enumerate((1.05, 1.36, 0.84), 11)]
    row = verdict(store, *quiet, *later)
    assert (row.verdict, row.basis) == ("unknown", "runs"), "runs differ more than the change"
