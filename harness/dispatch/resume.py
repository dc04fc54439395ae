"""Resume: what of a sweep has no final record; refused where the kernels or torch have changed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence

from harness.errors import DispatchError, did_you_mean
from harness.model import Plan, Revision, Sweep
from harness.store import Store

LATEST = "true"


def resumable_sweep(
    store: Store,
    which: str,
    overrides: Sequence[str],
    plan: Plan,
    revisions: Mapping[str, Revision],
) -> tuple[Sweep, set[tuple[str, int]]]:
    """The sweep to go on with, and its (job key, launch) that are done.

    ``which`` is a sweep's id, or "true" for the latest one of the same overrides. Raises
    DispatchError where there is none, or where its records were made with other kernel sources or
    another torch, naming each difference.
    """
    sweeps = {row.id: row for row in store.sweeps()}
    if which == LATEST:
        same = [row for row in sweeps.values() if row.overrides == tuple(overrides)]
        if not same:
            raise DispatchError(
                "resume=true: no sweep in this store was started with these overrides; "
                "leave resume out to start one, or name one: resume=SWEEP"
            )
        sweep = max(same, key=lambda row: row.id)
    elif which in sweeps:
        sweep = sweeps[which]
    else:
        raise DispatchError(f"resume={which}: no such sweep. {did_you_mean(which, sweeps)}")
    _refuse_changes(store, sweep, revisions)
    planned = {job.key for job in plan.jobs}
    return sweep, {(key, launch) for key, launch in store.finished(sweep.id) if key in planned}


def _refuse_changes(store: Store, sweep: Sweep, revisions: Mapping[str, Revision]) -> None:
    torch_now = importlib.metadata.version("torch")
    changes: set[str] = set()
    for record in store.records(sweep_id=sweep.id):
        now = revisions.get(record.kernel.name)
        if record.revision and now and record.revision.source_hash != now.source_hash:
            changes.add(f"source of kernel {record.kernel.name}")
        if record.environment and record.environment.torch.split("+")[0] != torch_now.split("+")[0]:
            changes.add(f"torch {record.environment.torch} → {torch_now}")
    if changes:
        raise DispatchError(
            f"sweep {sweep.id} can't be resumed, its results would not compare; changed since: "
            + "; ".join(sorted(changes))
        )
