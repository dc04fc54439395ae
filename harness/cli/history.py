"""``attnbench history``: what moved, when, and what changed with it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from harness.cli.common import store_url
from harness.cli.history_text import print_event, print_history, print_track
from harness.cli.results import WIDE, write_frame, write_text
from harness.errors import AttnbenchError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.history.events import Event
    from harness.analysis.history.moves import Move
    from harness.analysis.history.study import History
    from harness.analysis.triage import Triaged

UNSETTLED, FEW = 1, 3


def history_command(
    filters: dict[str, Any],
    metrics: Sequence[str],
    since: str | None,
    min_effect: float | None,
    event: str | None,
    external: bool,
    format: str,
    out: Path | None,
    store: str | None,
) -> int:
    """Body of ``attnbench history``; returns the exit code."""
    found, states = load(filters, metrics, since, min_effect, external, store)
    chosen = None if event is None else event_of(found, event)
    if format == "csv":
        write_frame(moves_frame(found.moves if chosen is None else chosen.moves), "csv", out)
    elif format == "json":
        events = [chosen] if chosen else found.events
        facts = as_json(found, events, states)
        text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
        write_text(text, out)
    else:
        shown = StringIO()
        to_file = out is not None or not sys.stdout.isatty()
        console = Console(
            file=shown if out is not None or format == "md" else None,
            width=WIDE if to_file or format == "md" else None,
            highlight=False,
        )
        _print(found, states, chosen, format == "md", console)
        if out is not None or format == "md":
            write_text(shown.getvalue(), out)
    return exit_code(found, states)


def load(
    filters: dict[str, Any],
    metrics: Sequence[str],
    since: str | None,
    min_effect: float | None,
    external: bool,
    store: str | None,
) -> tuple[History, dict[str, Triaged]]:
    """The history that the options ask for, and by event's key what was said of it.

    Raises AttnbenchError where the options don't go together.
    """
    from harness.analysis.history.read import Filters
    from harness.analysis.history.study import study, study_externals
    from harness.analysis.triage import triaged
    from harness.store import open_store
    from harness.store.triage import triage_entries

    benchmark = filters.pop("benchmark", None)
    with open_store(store_url(store), read_only=True) as opened:
        if external:
            if metrics or any(filters.values()):
                raise AttnbenchError(
                    "--external takes --benchmark, --since and --min-effect: what other tools "
                    "measured has no metric, kernel, dtype, gpu or workload"
                )
            found = study_externals(opened, benchmark, since=since, min_effect=min_effect)
        elif benchmark:
            raise AttnbenchError("--benchmark is for --external: kernels are chosen by --kernel")
        else:
            chosen = Filters(**filters)
            found = study(opened, metrics, chosen, since=since, min_effect=min_effect)
        states = triaged(found.events, triage_entries(opened))
    return found, {one.event.key: one for one in states}


def event_of(found: History, key: str) -> Event:
    """The event whose key begins so. Raises AttnbenchError where none, or several, does."""
    matching = [event for event in found.events if event.key.startswith(key)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise AttnbenchError(f"event {key}: {len(matching)} begin so; give more of it")
    known = [event.key for event in found.events]
    raise AttnbenchError(f"no event {key}. {did_you_mean(key, known)}")


def exit_code(found: History, states: dict[str, Triaged]) -> int:
    """1 where something got worse, stayed so and nobody spoke of it; 3 where nothing could be
    judged; else 0."""
    if any(one.alarming for one in states.values()):
        return UNSETTLED
    return FEW if found.tracks and not found.judged else 0


def _print(
    found: History,
    states: dict[str, Triaged],
    chosen: Event | None,
    markdown: bool,
    console: Console,
) -> None:
    keys = {track.series_key for track in found.tracks}
    if chosen is not None:
        print_event(chosen, console, states[chosen.key])
    elif len(keys) == 1 and not markdown:
        for track in found.tracks:
            print_track(track, [m for m in found.moves if m.track is track], console)
    else:
        print_history(found, states, markdown, console)


def moves_frame(moves: Sequence[Move]) -> pd.DataFrame:
    """A row a move."""
    import pandas as pd

    return pd.DataFrame([move_facts(move) for move in moves])


def move_facts(move: Move) -> dict[str, Any]:
    """A move as plain values; ``cause`` and ``differences`` in words."""
    track, change = move.track, move.change
    return {
        "series_key": track.series_key,
        **track.labels,
        "metric": track.metric,
        "unit": track.unit,
        "verdict": move.verdict,
        "before": change.before,
        "after": change.after,
        "ratio": _number(change.ratio),
        "ratio_low": _number(change.low),
        "ratio_high": _number(change.high),
        "p": change.p,
        "last_good_sweep": track.sweeps[move.last_good],
        "last_good_at": track.at[move.last_good],
        "last_good_commit": track.commit(move.last_good),
        "first_bad_sweep": move.sweep,
        "first_bad_at": move.at,
        "first_bad_commit": track.commit(move.first_bad),
        "ordered_by": "commit" if track.by_commit else "time",
        "fixed_at": "" if move.fixed_at is None else track.at[move.fixed_at],
        "cause": "" if move.cause is None else move.cause.text,
        "differences": "; ".join(one.text for one in move.differences),
        "same": ", ".join(move.same),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def as_json(found: History, events: Sequence[Event], states: dict[str, Triaged]) -> dict[str, Any]:
    """The whole answer as JSON values."""
    return {
        "series": len({track.series_key for track in found.tracks}),
        "judged": found.judged,
        "steady": found.steady,
        "too_short": [
            {"series_key": t.series_key, "metric": t.metric, "points": len(t.known)}
            for t in found.short
        ],
        "late_points": found.late,
        "events": [event_facts(event) | state_facts(states[event.key]) for event in events],
    }


def event_facts(event: Event) -> dict[str, Any]:
    """An event as JSON values."""
    return {
        "key": event.key,
        "sweep": event.sweep,
        "at": event.at,
        "worse": len(event.worse),
        "better": len(event.better),
        "fixed_at": event.fixed_at,
        "causes": [
            {"text": cause.text, "moves": cause.moves, "exposed": cause.exposed}
            | vars(cause.difference)
            for cause in event.causes
        ],
        "moves": [move_facts(move) for move in event.moves],
    }


def state_facts(one: Triaged) -> dict[str, Any]:
    """What was said of an event, as JSON values."""
    return {
        "state": one.state,
        "alarming": len(one.alarming),
        "doubted": one.doubted,
        "note": one.note,
        "links": list(one.links),
        "said": [
            {"at": e.at, "by": e.actor, "state": e.state, "note": e.note, "links": list(e.links)}
            for e in one.entries
        ],
    }
