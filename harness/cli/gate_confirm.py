"""``gate --confirm``: suspects are measured again before they are called.

Where the baseline's kernel is of another commit that this repository has, both versions run in
turns on one board, so that nothing but the code differs; else the candidate's runs again, and is
held to the launches of the baseline that are stored. Nothing of this is stored: an old version
measured today would stand in its series as news.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.compare.launches import Launches
from harness.analysis.compare.sides import resolve
from harness.analysis.compare.verdicts import judge_launches
from harness.analysis.gate import KEY, Gate, suspects
from harness.analysis.gate import Again as Found
from harness.analysis.query import results
from harness.cli.again import jobs_again
from harness.cli.bisect import FIGURES
from harness.dispatch.versions import NoVersion, checked_out, commit_named, measure, repository_of
from harness.errors import AttnbenchError, ConfigError, KernelError
from harness.measure.revision import kernel_revision
from harness.model import Job, Record, Status, new_sweep_id
from harness.store import Store, schema

if TYPE_CHECKING:
    from harness.cli.gate import Again

MORE = {"commit": schema.revision.c.commit, "dirty": schema.revision.c.dirty}


@dataclass
class _Suspect:
    """One cell to measure again."""

    rows: list[int]
    """Its positions in the gate's cells, one a metric."""
    job: Job
    baseline: Any
    """Its stored launches of the baseline."""
    old: Job | None = None
    """The baseline's version, where it can be had."""


def measured_again(
    store: Store, gate: Gate, sides: tuple[str, str], how: Again
) -> dict[int, Found]:
    """What was found, by position in the gate's cells.

    Raises:
        AttnbenchError: a suspect can't be measured here; the reason says why.
    """
    if how.launches < 2:
        raise ConfigError(f"--launches {how.launches}: a comparison needs two or more")
    frames = [_rows(store, side, commands=bool(number)) for number, side in enumerate(sides)]
    chosen = suspects(gate)
    chosen = chosen[chosen["metric"].isin(list(FIGURES))]
    cells: dict[tuple[str, ...], list[int]] = {}
    for i, row in zip(chosen.index, chosen.to_dict("records"), strict=True):
        cells.setdefault(tuple(str(row[name]) for name in KEY), []).append(int(i))
    if not cells:
        return {}
    mine = [[_of_cell(frame, key) for frame in frames] for key in cells]
    commands = [str(now.iloc[-1]["command"]) for _, now in mine]
    with ExitStack() as stack:
        jobs, dispatcher = stack.enter_context(jobs_again(commands, how.kernels, how.cluster))
        found = [
            _Suspect(rows, job, before)
            for rows, job, (before, _) in zip(cells.values(), jobs, mine, strict=True)
        ]
        trees: dict[tuple[str, str], Any] = {}
        for suspect, (before, now) in zip(found, mine, strict=True):
            _must_be_the_candidates(suspect.job, now)
            suspect.old = _old_version(suspect.job, before.iloc[-1], trees, stack)
        turns = sum(suspect.old is not None for suspect in found)
        print(
            f"measuring {len(found)} suspects again, {how.launches} launches each, {turns} of them "
            "in turns with the baseline's version",
            file=sys.stderr,
        )
        all_jobs = [job for one in found for job in (one.job, one.old) if job is not None]
        records = measure(all_jobs, dispatcher, how.launches, new_sweep_id())
    out: dict[int, Found] = {}
    for metric in chosen["metric"].unique():
        out |= _judged(gate, str(metric), found, records, how.launches)
    return out


def _rows(store: Store, side: str, *, commands: bool) -> Any:
    with store.reading() as connection:
        where = resolve(connection, side).where
    frame = results(store, status="ok", only=(where,), more=MORE, commands=commands)
    return frame.sort_values("started_at", kind="stable")


def _of_cell(frame: Any, key: tuple[str, ...]) -> Any:
    """The rows of a cell in its newest sweep."""
    for name, value in zip(KEY, key, strict=True):
        frame = frame[frame[name].astype(str) == value]
    return frame[frame["sweep_id"] == frame["sweep_id"].iloc[-1]]


def _must_be_the_candidates(job: Job, now: Any) -> None:
    here, there = kernel_revision(job.kernel).source_hash, str(now.iloc[-1]["source_hash"])
    if here != there:
        raise AttnbenchError(
            f"--confirm: {job.kernel.name}'s source here ({here[:12]}) isn't the candidate's "
            f"({there[:12]}): check that version out, or name its folder by --kernels"
        )


def _old_version(
    job: Job, before: Any, trees: dict[tuple[str, str], Any], stack: ExitStack
) -> Job | None:
    """The baseline's version of the job; None where it is the same, or can't be had here."""
    wanted, commit = str(before["source_hash"]), str(before["commit"] or "")
    if wanted == kernel_revision(job.kernel).source_hash or not commit or before["dirty"]:
        return None
    key = job.kernel.id, commit
    if key not in trees:
        try:
            commit_named(repository_of(job.kernel), commit)
            kernel = stack.enter_context(checked_out(job.kernel, commit))
        except (KernelError, NoVersion) as error:
            print(f"the baseline's version can't be had here: {error}", file=sys.stderr)
            kernel = None
        trees[key] = kernel
    kernel = trees[key]
    if kernel is None or kernel_revision(kernel).source_hash != wanted:
        return None
    return replace(job, kernel=kernel)


def _judged(
    gate: Gate, metric: str, found: list[_Suspect], records: dict[str, list[Record]], launches: int
) -> dict[int, Found]:
    """All suspects of one metric together: each cell's spread is judged with the others' help."""
    figure = gate.comparisons[metric].metric
    positions: list[int] = []
    before: list[list[float]] = []
    after: list[list[float]] = []
    boards: tuple[list[list[Any]], list[list[Any]]] = ([], [])
    how: list[str] = []
    for suspect in found:
        for i in suspect.rows:
            if gate.cells.loc[i, "metric"] != metric:
                continue
            new, new_boards = _values(suspect.job, records, metric)
            if suspect.old is not None:
                old, old_boards = _values(suspect.old, records, metric)
                text = f"by {launches} launches in turns with the baseline's version"
            else:
                stored = figure.formula(suspect.baseline)
                old, old_boards = list(stored), list(suspect.baseline["device_uuid"])
                text = f"by {launches} new launches against the stored baseline"
            positions.append(i)
            before.append(old)
            after.append(new)
            boards[0].append(old_boards)
            boards[1].append(new_boards)
            how.append(text)
    if not positions:
        return {}
    limits = gate.cells.loc[positions, "limit"].to_numpy(dtype=np.float64)
    judged = judge_launches(Launches.of(before, after, boards), limits, figure.higher_is_better)
    return {
        i: Found(
            float(judged.ratio[n]),
            float(judged.low[n]),
            float(judged.high[n]),
            str(judged.verdict[n]),
            how[n],
        )
        for n, i in enumerate(positions)
    }


def _values(
    job: Job, records: dict[str, list[Record]], metric: str
) -> tuple[list[float], list[Any]]:
    values, boards = [], []
    for record in records[job.kernel.name]:
        if record.problem.key != job.problem.key or record.gpu != job.gpu.name:
            continue
        if record.status is not Status.OK:
            what = f"{job.kernel.name} {job.problem.summary()}"
            raise AttnbenchError(f"--confirm: {what} fails now: {record.status}: {record.reason}")
        value = FIGURES[metric](record)
        values.append(float("nan") if value is None else value)
        boards.append(None if record.device is None else record.device.uuid)
    return values, boards
