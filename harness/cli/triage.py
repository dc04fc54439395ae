"""``attnbench triage``: what is known of events in the history, and saying it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from harness.cli.common import store_url
from harness.cli.history import event_facts, event_of, load, state_facts
from harness.cli.history_text import print_event
from harness.cli.results import WIDE
from harness.cli.tabular import Page
from harness.errors import AttnbenchError, did_you_mean
from harness.store import open_store
from harness.store.triage import STATES, TriageEntry, add_triage, triage_entries

if TYPE_CHECKING:
    from harness.analysis.history.study import History
    from harness.analysis.triage import Triaged


def triage_command(
    event: str | None,
    state: str | None,
    note: str,
    links: Sequence[str],
    filters: dict[str, Any],
    metrics: Sequence[str],
    external: bool,
    format: str,
    store: str | None,
) -> int:
    """Body of ``attnbench triage``; returns the exit code."""
    if state is not None and state not in STATES:
        raise AttnbenchError(f"--state {state}: no such state. {did_you_mean(state, STATES)}")
    found, states = load(filters, metrics, None, None, external, store)
    if event is None:
        if note or links:
            raise AttnbenchError("--note and --link are said of an event: triage EVENT …")
        _list(found, states, state, format, store)
    elif state is None and not note and not links:
        _show(found, states, event, format)
    else:
        _say(found, states, event, state, note, links, store)
    return 0


def _list(
    found: History, states: dict[str, Triaged], state: str | None, format: str, store: str | None
) -> None:
    shown = [states[e.key] for e in found.events if state in (None, states[e.key].state)]
    if format == "json":
        facts = [event_facts(one.event) | state_facts(one) for one in shown]
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    page = Page(format == "md")
    rows = []
    for one in shown:
        worse, better = len(one.event.worse), len(one.event.better)
        moved = ", ".join(f"{n} {w}" for n, w in ((worse, "worse"), (better, "better")) if n)
        doubt = " (measured as bad since)" if one.doubted else ""
        what = "\n".join(filter(None, [one.note, *one.links])) or _cause(one)
        key, at = one.event.key[:8], one.event.at[:10]
        rows.append([key, one.state + doubt, at, moved or "moved", what])
    if rows:
        page.table(["event", "state", "since", "moved", "what is known"], rows, range(5))
    counts = {s: sum(states[e.key].state == s for e in found.events) for s in STATES}
    page.line(", ".join(f"{n} {s}" for s, n in counts.items() if n) or "no event in the history")
    gone = _not_here(found, states, store)
    if gone:
        page.line(f"{gone} more were spoken of that aren't in this history (deleted, or filtered)")
    sys.stdout.write(page.text)


def _cause(one: Triaged) -> str:
    causes = one.event.causes
    return f"({causes[0].text})" if causes else "(nothing that is recorded changed)"


def _not_here(found: History, states: dict[str, Triaged], store: str | None) -> int:
    with open_store(store_url(store), read_only=True) as opened:
        entries = triage_entries(opened)
    here = {entry.event for one in states.values() for entry in one.entries}
    return len({entry.event for entry in entries} - here)


def _show(found: History, states: dict[str, Triaged], event: str, format: str) -> None:
    chosen = event_of(found, event)
    if format == "json":
        facts = event_facts(chosen) | state_facts(states[chosen.key])
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    print_event(chosen, console, states[chosen.key])


def _say(
    found: History,
    states: dict[str, Triaged],
    event: str,
    state: str | None,
    note: str,
    links: Sequence[str],
    store: str | None,
) -> None:
    from harness.analysis.triage import moves_to_keep

    with open_store(store_url(store)) as opened:
        known = [e for e in found.events if e.key.startswith(event)]
        old: TriageEntry | None = None
        if not known:
            said = [entry for entry in triage_entries(opened) if entry.event.startswith(event)]
            old = said[-1] if said and len({entry.event for entry in said}) == 1 else None
        if old is not None:  # its results are gone, or filtered: what was kept of it still holds
            key, sweep, moves, before = old.event, old.sweep, list(old.moves), old.state
        else:
            chosen = event_of(found, event)
            key, sweep, moves = chosen.key, chosen.sweep, moves_to_keep(chosen)
            before = states[chosen.key].state
        entry = add_triage(opened, key, sweep, state or before, note, links, moves)
    series = len({move.series for move in entry.moves})
    print(f"event {key} ({series} series): {before} → {entry.state}")
