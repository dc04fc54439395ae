"""Gate: whether a sweep may pass, from comparisons with its baseline in several metrics.

A cell *passes* where a change for the worse of the limit or more is ruled out: the bound of its
95 % interval on the bad side lies within the limit (non-inferiority: Walker and Nowacki, J. Gen.
Intern. Med. 26(2), 2011). It *fails* where it is called regressed, or gave a number before and
now ends wrong, crashed or otherwise failed. Everything else is *open*: not enough evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.compare.comparison import Comparison


class Outcome(IntEnum):
    """The exit code of the gate. 2 is wrong usage or a failure of the tool, and no outcome."""

    PASSED = 0
    """A regression is ruled out."""
    REGRESSED = 1
    """Something regressed, or fails now."""
    OPEN = 3
    """Nothing was shown to have regressed, but that isn't ruled out: measure more launches."""


CELL = ["kernel", "problem", "device", "mode"]
KEY = ["kernel", "kernel_options", "problem_key", "device", "mode"]
"""What a cell is to programs."""


@dataclass(frozen=True)
class Gate:
    """What the gate found."""

    comparisons: Mapping[str, Comparison]
    """By metric."""
    cells: pd.DataFrame
    """A row a cell and metric: ``metric``, CELL, KEY, ``state`` (passed, failed, open, accepted),
    ``ratio``, ``low``, ``high``, ``verdict``, ``suspect``, ``reason``, ``limit``; what failed
    first. Accepted is what regressed no further than triage says is known."""
    outcome: Outcome
    """The answer."""

    def of(self, state: str) -> pd.DataFrame:
        """The rows of a state."""
        return self.cells[self.cells["state"] == state]


def judge_gate(comparisons: Mapping[str, Comparison], unknown_share: float) -> Gate:
    """The gate of some comparisons, each made with the gate's limits as least effects."""
    rows = []
    for name, found in comparisons.items():
        rows.append(found.cells.assign(metric=name, state=_states(found)))
    failing = next(iter(comparisons.values())).newly_failing
    if len(failing):
        now = failing.assign(
            metric="status",
            state="failed",
            verdict="newly failing",
            reason=failing["status"] + ": " + failing["reason"],
        )
        rows.insert(0, now)
    columns = ["metric", *CELL, "state", "verdict", "before", "after", "ratio", "low", "high"]
    columns += ["least_effect", "reason", "suspect", "kernel_options", "problem_key"]
    cells = pd.concat(
        [part.reindex(columns=columns) for part in rows if len(part)]
        or [pd.DataFrame(columns=columns)],
        ignore_index=True,
    )
    cells = cells.rename(columns={"least_effect": "limit"})
    return _settled(comparisons, cells, unknown_share)


@dataclass(frozen=True)
class Known:
    """A regression that somebody spoke of."""

    ratio: float
    """How far the figure was known to have moved."""
    text: str
    """What was said of it."""


def accept(
    gate: Gate, known: Mapping[tuple[str, tuple[str, ...]], Known], unknown_share: float
) -> Gate:
    """The gate without the failures that are known, by metric and KEY, unless they grew beyond what
    is known by the limit or more.
    """
    cells = gate.cells.copy()
    for i, row in enumerate(cells.to_dict("records")):
        found = known.get((row["metric"], tuple(str(row[name]) for name in KEY)))
        if row["state"] != "failed" or row["verdict"] != "regressed" or found is None:
            continue
        further = row["ratio"] / found.ratio
        if max(further, 1 / further) < 1 + row["limit"]:
            cells.loc[i, ["state", "reason"]] = ["accepted", found.text]
    return _settled(gate.comparisons, cells, unknown_share)


@dataclass(frozen=True)
class Again:
    """What measuring a suspect again found."""

    ratio: float
    """Candidate over baseline."""
    low: float
    """Lower bound of its 95 % interval."""
    high: float
    """Upper bound of it."""
    verdict: str
    """As of a comparison."""
    how: str
    """Against what, with how many launches, in words."""


def suspects(gate: Gate) -> pd.DataFrame:
    """The rows that are called regressed, or would be with more launches."""
    cells = gate.cells
    suspect = cells["suspect"].eq(True) & (cells["state"] == "open")
    return cells[suspect | ((cells["state"] == "failed") & (cells["verdict"] == "regressed"))]


def confirm(gate: Gate, again: Mapping[int, Again], unknown_share: float) -> Gate:
    """The gate with its suspects, by position in ``cells``, as measuring them again found them."""
    cells = gate.cells.copy()
    for i, found in again.items():
        row: dict[str, Any] = cells.loc[[i]].to_dict("records")[0]  # type: ignore[assignment]
        higher = gate.comparisons[row["metric"]].metric.higher_is_better
        limit = 1 + float(row["limit"])
        ruled_out = found.low > 1 / limit if higher else found.high < limit
        state = "failed" if found.verdict == "regressed" else "passed" if ruled_out else "open"
        word = "confirmed" if state == "failed" else "not confirmed"
        cells.loc[i, ["ratio", "low", "high"]] = [found.ratio, found.low, found.high]
        cells.loc[i, ["state", "verdict", "reason"]] = [
            state,
            found.verdict,
            f"{word} {found.how}",
        ]
    return _settled(gate.comparisons, cells, unknown_share)


def _settled(
    comparisons: Mapping[str, Comparison], cells: pd.DataFrame, unknown_share: float
) -> Gate:
    rank = cells["state"].map({"failed": 0, "open": 1, "accepted": 2, "passed": 3})
    cells = cells.loc[rank.sort_values(kind="stable").index].reset_index(drop=True)
    return Gate(comparisons, cells, _outcome(cells, unknown_share))


def _states(found: Comparison) -> np.ndarray:
    cells = found.cells
    limit = 1 + cells["least_effect"].astype(float)
    higher = found.metric.higher_is_better
    ruled_out = cells["low"] > 1 / limit if higher else cells["high"] < limit
    judged = ~cells["verdict"].isin(["insufficient", "regressed"])
    # "Unknown" for want of a common board rules nothing out, however narrow the interval.
    boards = cells["reason"].str.startswith("no board in common")
    passed = judged & ruled_out & ~boards
    return np.where(cells["verdict"] == "regressed", "failed", np.where(passed, "passed", "open"))


def _outcome(cells: pd.DataFrame, unknown_share: float) -> Outcome:
    if (cells["state"] == "failed").any():
        return Outcome.REGRESSED
    measured = cells[cells["metric"] != "status"]
    if measured.empty or (measured["state"] == "open").mean() > unknown_share:
        return Outcome.OPEN
    return Outcome.PASSED
