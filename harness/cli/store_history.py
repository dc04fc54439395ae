"""``attnbench store``: what changes history (prune, exclude, tag, delete …), and the log of it."""

from __future__ import annotations

import dataclasses
import json
import sys

from rich.console import Console
from rich.table import Table

from harness.analysis.since import parse_since
from harness.cli.common import confirmed, store_url
from harness.cli.results import WIDE
from harness.cli.store_selection import Chosen, sweep_named
from harness.errors import StoreError
from harness.store import open_store, retention
from harness.store.annotations import exclude, include, reset_baseline, tag, tags, untag
from harness.store.audit import audit_log


def prune_command(older_than: str, reason: str, dry_run: bool, yes: bool, store: str | None) -> int:
    """Body of ``attnbench store prune``; returns the exit code."""
    before = parse_since(older_than)
    with open_store(store_url(store), read_only=dry_run) as opened:
        count, size = retention.prunable(opened, before)
        what = f"raw samples of {count} results before {before} ({size / 1e6:,.2f} MB)"
        if dry_run or not count:
            print(f"{opened.safe_url}: {what}{' would go' if dry_run else ': nothing to do'}")
            return 0
        confirmed(f"drop the {what} from {opened.safe_url}? their summaries stay", yes)
        count, size = retention.prune_samples(opened, before, reason)
        print(f"{opened.safe_url}: samples of {count} results dropped, {size / 1e6:,.2f} MB")
        print("attnbench store vacuum gives the space back")
    return 0


def exclude_command(which: Chosen, reason: str, store: str | None) -> int:
    """Body of ``attnbench store exclude``; returns the exit code."""
    with open_store(store_url(store)) as opened:
        chosen = which.of(opened)
        count = exclude(opened, chosen, reason)
    print(f"{count} results ({chosen.describe()}) are kept, and ignored by analysis: {reason}")
    return 0


def include_command(which: Chosen, reason: str, store: str | None) -> int:
    """Body of ``attnbench store include``; returns the exit code."""
    with open_store(store_url(store)) as opened:
        chosen = which.of(opened)
        count = include(opened, chosen, reason)
    print(f"{count} results ({chosen.describe()}) count again")
    return 0


def reset_baseline_command(which: Chosen, since: str | None, reason: str, store: str | None) -> int:
    """Body of ``attnbench store reset-baseline``; returns the exit code."""
    moment = parse_since(since) if since else ""
    with open_store(store_url(store)) as opened:
        chosen = which.of(opened)
        count = reset_baseline(opened, chosen, reason, moment)
    print(f"the history of {count} series ({chosen.describe()}) counts from {moment or 'now'} on")
    return 0


def tag_command(sweep: str, name: str | None, remove: bool, reason: str, store: str | None) -> int:
    """Body of ``attnbench store tag``; returns the exit code."""
    if remove and name is None:
        raise StoreError("--remove needs the tag: attnbench store tag SWEEP NAME --remove")
    with open_store(store_url(store), read_only=name is None) as opened:
        sweep_id = sweep_named(opened, sweep)
        if name is None:
            opened.sweep(sweep_id)
        elif remove:
            untag(opened, sweep_id, name, reason)
        else:
            tag(opened, sweep_id, name, reason)
        names = tags(opened).get(sweep_id, [])
    print(f"sweep {sweep_id}: {', '.join(names) or 'no tags'}")
    return 0


def delete_command(sweep: str, reason: str, yes: bool, store: str | None) -> int:
    """Body of ``attnbench store delete``; returns the exit code."""
    with open_store(store_url(store)) as opened:
        found = opened.sweep(sweep_named(opened, sweep))
        count = sum(opened.tally(found.id).values())
        confirmed(
            f"delete sweep {found.id} of {found.started_at} (`{found.command}`) with its {count} "
            f"results from {opened.safe_url}, for ever?",
            yes,
        )
        gone = retention.delete_sweep(opened, found.id, reason)
    print(f"sweep {found.id} and its {gone} results are deleted")
    return 0


def log_command(limit: int, format: str, store: str | None) -> int:
    """Body of ``attnbench store log``; returns the exit code."""
    with open_store(store_url(store), read_only=True) as opened:
        entries = audit_log(opened, limit)
    if format == "json":
        print(json.dumps([dataclasses.asdict(entry) for entry in entries], indent=1))
        return 0
    table = Table(box=None, pad_edge=False)
    for name in ("when (UTC)", "who", "what", "to what", "why", "details"):
        table.add_column(name, overflow="fold")
    for entry in entries:
        details = ", ".join(f"{name} {value}" for name, value in entry.details.items())
        when = entry.at[:19].replace("T", " ")
        table.add_row(when, entry.actor, entry.action, entry.subject, entry.reason, details)
    width = None if sys.stdout.isatty() else WIDE
    console = Console(highlight=False, markup=False, width=width)
    console.print(table if entries else "no changes yet")
    return 0
