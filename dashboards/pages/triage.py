"""Triage: which changes has nobody looked at yet, and what is known of the others?"""

from __future__ import annotations

from collections import Counter

from dashboards.charts.events import STATES, events_by_day
from dashboards.content import Content, Section, Table, Tile
from dashboards.formats import count
from dashboards.pages.history import EVENT_COLUMNS, SHORT, event_row, when
from dashboards.source import Source
from harness.analysis.history.read import Filters
from harness.analysis.history.study import study
from harness.analysis.triage import Triaged, triaged
from harness.store.triage import triage_entries

TITLE = "Triage"
QUESTION = "Which changes has nobody looked at yet, and what is known of the others?"
PLACE = 4.5
CHARTS = ("events_by_day",)
EMPTY = "There is no history yet. Measure something with: attnbench run experiment=quickstart"
SAY = "attnbench triage EVENT --state acknowledged --note '…'"
"""How something is said of an event."""


def build(source: Source) -> Content:
    """The events of the view's series, in the metrics that are watched or the one it names."""
    view = source.view
    if not source.kernels:
        return Content(EMPTY, [])
    which = Filters.of_view(view)
    metrics = [view.metric] if view.metric else []
    found = study(source.store, metrics, which, since=view.since or None)
    known = triaged(found.events, triage_entries(source.store))
    if not known:
        return Content(f"Nothing moved. {'' if found.judged else SHORT}".strip(), [])
    loud = [one for one in known if one.alarming]
    lead = f"{count(len(known), 'event')}, {len(loud):,} of them still alarm."
    return Content(
        lead,
        [
            Section(
                "events_by_day",
                "By day",
                "",
                events_by_day(known),
                _table(known),
                "events, the newest first",
                shown=True,
            ),
            *_notes(known),
            Section(
                "say",
                "Say more",
                "This page only reads. What is known of an event is said so:",
                code=SAY.replace("EVENT", (loud or known)[0].event.key[:8]),
                title="Say what is known of an event",
            ),
        ],
        tiles=_tiles(known),
    )


def _tiles(known: list[Triaged]) -> list[Tile]:
    counts = Counter(one.state for one in known)
    kinds = {"new": "bad", "fixed": "good"}
    return [Tile(f"{counts[s]:,}", s, kinds.get(s, "plain")) for s in STATES if counts[s]]


def _table(known: list[Triaged]) -> Table:
    rows = []
    for one in known:
        state = one.state + (" (doubted: it hasn't come back)" if one.doubted else "")
        event, since, moved, kernels, cause, fixed = event_row(one.event)
        alarm = f"{len(one.alarming):,}" if one.alarming else ""
        rows.append([since, event, state, alarm, one.note, moved, kernels, cause, fixed])
    key, since, moved, kernels, cause, fixed = EVENT_COLUMNS
    columns = [since, key, "State", "Alarming", "Note", moved, kernels, cause, fixed]
    return Table(columns, rows, frozenset({3}), frozenset({4, 5, 6, 7}))


def _notes(known: list[Triaged]) -> list[Section]:
    """Everything that was said, the newest first."""
    rows = [
        [when(entry.at), one.event.key[:8], entry.state, entry.note, " ".join(entry.links),
         entry.actor]
        for one in known
        for entry in reversed(one.entries)
    ]  # fmt: skip
    if not rows:
        return []
    columns = ["Said (UTC)", "Event", "State", "Note", "Links", "By"]
    table = Table(columns, rows, wide=frozenset({3, 4}))
    return [Section("notes", "Notes", table=table, title="What was said of them")]
