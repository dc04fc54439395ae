"""Pairing: which launches of both sides are about the same cell, and what one side has alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.analysis.cells import SEVERITY
from harness.analysis.compare.launches import Launches
from harness.errors import ConfigError
from harness.model import Problem, Status

IDENTITY = ["operator", "kernel", "kernel_options", "problem_key", "device", "mode"]
"""What a cell is; an axis that is compared is left out of it."""
LEFT_OUT = {
    "kernel": ["kernel", "kernel_options"],
    "gpu": ["device"],
    "dtype": ["problem_key"],
    "direction": ["problem_key"],
}
"""By axis, the columns that differ between the sides; a changed problem has ``rest`` in common."""


@dataclass(frozen=True)
class Pairs:
    """The cells of a comparison."""

    cells: pd.DataFrame
    """A row a cell with launches on both sides: IDENTITY, the names of each side, no figures."""
    rows: pd.DataFrame
    """Their launches that succeeded, with ``cell``, the position in ``cells``."""
    one_sided: pd.DataFrame
    """A row a cell with a number on one side alone: IDENTITY, problem, status and reason of the
    other side (``missing`` where it has nothing), and ``has``, the side with the number."""
    failing: int
    """Cells that both sides tried, and neither has a number of."""


def pair(frame: pd.DataFrame, by: str | None, problems: dict[str, Problem]) -> Pairs:
    """Pair the launches of ``read_sides``. ``problems`` by key, needed to compare dtypes.

    A cell counts if every launch of it is ok, but for those that were lost with their worker.
    Raises ConfigError where one side has several values of what is compared (two options of a
    kernel, two models of a GPU), so that a cell would mix them.
    """
    left_out = LEFT_OUT.get(by or "", [])
    identity = [name for name in IDENTITY if name not in left_out]
    frame = frame.assign(device=_devices(frame))
    if by in ("dtype", "direction"):
        rest = {key: _without(problem, by) for key, problem in problems.items()}
        frame = frame.assign(rest=frame["problem_key"].map(rest))
        identity.append("rest")
    frame["cell"] = frame.groupby(identity, sort=False, dropna=False).ngroup()
    _must_be_one(frame, left_out)
    frame = frame[~(frame["status"] == Status.LOST) | _all_lost(frame)]
    severity = frame["status"].map({name: i for i, name in enumerate(SEVERITY)})
    worst = frame.loc[severity.groupby([frame["cell"], frame["side"]]).idxmax()]
    status = worst.set_index(["cell", "side"])["status"].unstack().reindex(columns=[0, 1])
    good = status == Status.OK
    both = good[0] & good[1]
    cells = _facts(frame[frame["cell"].isin(both.index[both])], identity)
    number = pd.Series(np.arange(len(cells)), index=cells.index)
    rows = frame[frame["cell"].isin(cells.index)].assign(cell=lambda f: f["cell"].map(number))
    skipped_or_gone = status.isna() | (status == Status.SKIPPED)
    failing = ~good[0] & ~good[1] & ~(skipped_or_gone[0] & skipped_or_gone[1])
    one = good.index[good[0] ^ good[1]]
    return Pairs(
        cells.reset_index(drop=True), rows, _one_sided(frame, worst, good, one), int(failing.sum())
    )


def launches_of(rows: pd.DataFrame, values: pd.Series, cells: int, paired_by: str) -> Launches:
    """The launches of paired rows, with a figure each; rows without one are left out.

    ``paired_by`` is the column whose values are compared like with like: the board, or, for an
    error, the launch, which seeds the inputs.
    """
    there = values.notna().to_numpy()
    rows, values = rows[there], values[there]
    rounds = rows["sweep_id"].astype(str) + "/" + rows["launch"].astype(str)
    return Launches(
        values.to_numpy(dtype=np.float64),
        rows["cell"].to_numpy(dtype=np.int64),
        rows["side"].to_numpy(dtype=np.int64),
        pd.factorize(rows[paired_by].astype(object).fillna(""))[0].astype(np.int64),
        pd.factorize(rounds)[0].astype(np.int64),
        cells,
    )


def _devices(frame: pd.DataFrame) -> pd.Series:
    """The model each launch ran on; of one that reached none, that of the job's others."""
    known = frame["device"].astype(object).where(frame["device"].notna(), None)
    of_job = known.groupby([frame["job_key"]]).transform("first")
    of_gpu = known.groupby([frame["gpu"]]).transform("first")
    return known.fillna(of_job).fillna(of_gpu).fillna(frame["gpu"])


def _without(problem: Problem, axis: str) -> str:
    """What two problems have in common that differ in ``axis`` alone."""
    if axis == "dtype":
        return replace(problem, dtype="fp32").key
    return replace(problem, direction="forward").key


def _must_be_one(frame: pd.DataFrame, columns: list[str]) -> None:
    for column in columns:
        if column == "problem_key":
            continue
        count = frame.groupby(["cell", "side"])[column].nunique(dropna=False)
        if (count > 1).any():
            cell, side = count.index[int((count > 1).argmax())]
            mine = frame[(frame["cell"] == cell) & (frame["side"] == side)]
            values = " and ".join(sorted(map(str, set(mine[column]))))
            raise ConfigError(
                f"side {'AB'[int(side)]} has several values of {column.replace('_', ' ')} for one "
                f"problem: {values}; name one, or one sweep (--sweep)"
            )


def _all_lost(frame: pd.DataFrame) -> pd.Series:
    lost = frame["status"] == Status.LOST
    return lost.groupby([frame["cell"], frame["side"]]).transform("all")


def _facts(frame: pd.DataFrame, identity: list[str]) -> pd.DataFrame:
    """A row a cell, indexed by its number; a column that differs between sides has both values."""
    columns = [*IDENTITY, "problem", "workload", "dtype", "direction", "gpu"]
    sides = [frame[frame["side"] == s].drop_duplicates("cell").set_index("cell") for s in (0, 1)]
    out = sides[0][columns].copy()
    for column in columns:
        if column not in identity:
            other = sides[1][column].reindex(out.index)
            differs = out[column].astype(object) != other.astype(object)
            out[column] = out[column].where(
                ~differs, out[column].astype(str) + " → " + other.astype(str)
            )
    if "problem_key" not in identity:
        texts = zip(sides[0]["problem"], sides[1]["problem"].reindex(out.index), strict=True)
        out["problem"] = [_shared(a, b) for a, b in texts]
    return out


def _shared(a: str, b: str) -> str:
    """The words of one problem's summary that the other's has too."""
    others = set(b.split())
    return " ".join(word for word in a.split() if word in others)


def _one_sided(
    frame: pd.DataFrame, worst: pd.DataFrame, good: pd.DataFrame, cells: pd.Index
) -> pd.DataFrame:
    columns = [*IDENTITY, "problem", "workload", "dtype", "has", "status", "reason"]
    ends = {(row["cell"], row["side"]): row for row in worst.to_dict("records")}
    out = []
    for cell in cells:
        has = 0 if good.loc[cell, 0] else 1
        mine, other = ends[cell, has], ends.get((cell, 1 - has))
        ended = ("missing", "") if other is None else (str(other["status"]), other["reason"])
        facts = {name: mine[name] for name in columns if name in mine}
        out.append(facts | {"has": "AB"[has], "status": ended[0], "reason": ended[1]})
    return pd.DataFrame(out, columns=columns)
