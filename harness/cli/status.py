"""``attnbench status`` and ``cancel``: sweeps as the store knows them, nodes as Ray does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.cli.common import store_url
from harness.errors import StoreError, did_you_mean
from harness.store import Store, open_store
from harness.store.progress import Progress, progress
from harness.store.sweeps import StoredSweep

LAST = "last"
REASONS = 8


def status_command(
    sweep: str | None, store: str | None, cluster: str | None, limit: int, format: str
) -> int:
    """Body of ``attnbench status``; returns the exit code."""
    with open_store(store_url(store), read_only=True) as opened:
        if sweep is None:
            newest = sorted(opened.sweeps(), key=lambda s: (s.state == "running", s.started_at))
            shown = [progress(opened, one.id) for one in reversed(newest[-limit:])]
        else:
            shown = [progress(opened, find(opened, sweep).id)]
    nodes = _nodes(cluster) if cluster else []
    if format == "json":
        print(json.dumps({"sweeps": [_as_dict(one) for one in shown], "nodes": nodes}))
        return 0
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if not shown:
        console.print("no sweep is stored")
    elif sweep is None:
        console.print(_table(shown))
    else:
        _print_one(console, shown[0])
    if cluster:
        console.print(_node_table(nodes))
    return 0


def cancel_command(sweep: str, store: str | None) -> int:
    """Body of ``attnbench cancel``; returns the exit code."""
    with open_store(store_url(store)) as opened:
        found = find(opened, sweep)
        if found.state != "running":
            raise StoreError(f"sweep {found.id} isn't running: it is {found.state}")
        opened.finish_sweep(found.id, "interrupted")
    print(f"sweep {found.id} is cancelled: its driver stops within seconds, what is measured stays")
    return 0


def find(store: Store, sweep: str) -> StoredSweep:
    """A sweep by id, by the beginning of one, or ``last``. Raises StoreError."""
    sweeps = store.sweeps()
    if sweep == LAST and sweeps:
        return sweeps[-1]
    match = [one for one in sweeps if one.id.startswith(sweep)]
    exact = [one for one in match if one.id == sweep]
    if len(exact or match) == 1:
        return (exact or match)[0]
    if match:
        raise StoreError(f"{sweep} begins several sweeps: {', '.join(one.id for one in match[:4])}")
    raise StoreError(f"no sweep {sweep}. {did_you_mean(sweep, [one.id for one in sweeps])}")


def _nodes(address: str) -> list[dict[str, Any]]:
    from harness.dispatch.ray_cluster import RayCluster

    joined = RayCluster(address)
    try:
        return joined.health()
    finally:
        joined.close()


def _as_dict(one: Progress) -> dict[str, Any]:
    return {
        "sweep": one.sweep.id,
        "name": one.sweep.name,
        "state": one.sweep.state,
        "started_at": one.sweep.started_at,
        "finished_at": one.sweep.finished_at,
        "driver": one.sweep.host,
        "planned": one.planned,
        "counts": dict(one.counts),
        "last_at": one.last_at,
        "machines": {host: vars(machine) for host, machine in sorted(one.machines.items())},
        "failures": [
            {"status": status, "reason": reason, "count": count}
            for (status, reason), count in one.reasons.most_common()
        ],
    }


def _done(one: Progress) -> str:
    return f"{sum(n for s, n in one.counts.items() if s != 'skipped')}/{one.planned}"


def _failed(one: Progress) -> int:
    return sum(one.reasons.values())


def _state(one: Progress) -> str:
    """Its state; a sweep that calls itself running may have lost its driver."""
    if one.sweep.state != "running" or not one.last_at:
        return one.sweep.state
    return f"running, last job {_ago(one.last_at)}"


def _ago(moment: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"


def _table(shown: list[Progress]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("sweep", "name", "state", "done", "failed"):
        table.add_column(heading, justify="right" if heading in ("done", "failed") else "left")
    for one in shown:
        name = one.sweep.name or "ad hoc"
        table.add_row(one.sweep.id, name, _state(one), _done(one), str(_failed(one)))
    return table


def _print_one(console: Console, one: Progress) -> None:
    counts = ", ".join(f"{count} {status}" for status, count in sorted(one.counts.items()))
    console.print(f"sweep {one.sweep.id} ({one.sweep.name or 'ad hoc'}): {_state(one)}")
    console.print(f"{_done(one)} measured: {counts or 'nothing yet'}")
    console.print(f"driver on {one.sweep.host}, started {_ago(one.sweep.started_at)}")
    for host, machine in sorted(one.machines.items()):
        last = f"last job {_ago(machine.last_at)}"
        console.print(f"  {host}: {machine.good} good, {machine.failed} failed, {last}")
    for (status, reason), count in one.reasons.most_common(REASONS):
        console.print(f"  {count} × {status}: {reason}")


def _node_table(nodes: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("node", "state", "GPUs", "free", "accelerator"):
        table.add_column(heading)
    for node in nodes:
        row = (node["host"], node["state"], node["gpus"], node["free"], node["accelerator"])
        table.add_row(*map(str, row))
    return table
