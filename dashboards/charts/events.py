"""Events by day: how many series moved, and what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import altair as alt

from dashboards import theme
from dashboards.formats import count
from harness.analysis.triage import Triaged

TITLE = "Events by day"
STATES = {
    "new": "#d55e00",
    "acknowledged": "#9a7500",
    "expected": "#0072b2",
    "fixed": "#00805e",
    "ignored": "#7d8590",
}
"""Colour of each state."""


def events_by_day(events: Sequence[Triaged]) -> Any:
    """Bars of the series that moved, by day and state."""
    if not events:
        return theme.message(TITLE, "Nothing moved.")
    counts: Counter[tuple[str, str]] = Counter()
    number: Counter[tuple[str, str]] = Counter()
    for one in events:
        key = one.event.at[:10], one.state
        counts[key] += len(one.event.moves)
        number[key] += 1
    rows = [
        {"day": day, "state": state, "series": n, "events": number[day, state]}
        for (day, state), n in sorted(counts.items())
    ]
    states = [state for state in STATES if any(row["state"] == state for row in rows)]
    days = {day for day, _ in counts}
    colour = alt.Color(
        "state:N",
        title="State",
        scale=alt.Scale(domain=states, range=[STATES[s] for s in states]),
        legend=alt.Legend(),
    )
    whole = alt.Axis(tickMinStep=1, format="d")
    chart = (
        alt.Chart(theme.inline(rows))
        .mark_bar(height={"band": 0.7})
        .encode(
            x=alt.X("series:Q", title="Series that moved", axis=whole),
            y=alt.Y("day:N", title=None, sort="descending"),
            color=colour,
            tooltip=[
                alt.Tooltip("day:N", title="Day"),
                alt.Tooltip("state:N", title="State"),
                alt.Tooltip("events:Q", title="Events"),
                alt.Tooltip("series:Q", title="Series"),
            ],
        )
        .properties(width=560, height=26 * len(days) + 6)
    )
    return theme.finish(
        chart,
        title=TITLE,
        subtitle="",
        description=f"Bar chart of {count(len(events), 'event')} by day: how many series moved, "
        "stacked by state.",
        layout={"panels": 1, "panel_width": 240, "columns": 1, "chrome": 92, "widest": 900},
    )
