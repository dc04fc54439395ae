"""Watching the store: a page is drawn anew when there is something new in it."""

from __future__ import annotations

import streamlit as st

from dashboards.live import data
from harness.analysis.changing import Mark, mark, running

SECONDS = 5.0
"""Between two looks at the store. A look takes about a millisecond."""


def watch(url: str, shown: Mark) -> None:
    """The switch, and what runs now. ``shown`` is the state of the store that the page shows."""
    wanted = st.toggle("Refresh by itself", value=True, key="refresh")
    st.fragment(_look, run_every=SECONDS if wanted else None)(url, shown, wanted)


def _look(url: str, shown: Mark, wanted: bool) -> None:
    store = data.store_at(url)
    if wanted and mark(store) != shown:
        st.rerun()
    for sweep in running(store)[:3]:
        share = min(1.0, sweep.stored / sweep.planned) if sweep.planned else 0.0
        words = f"Sweep {sweep.id} is running: {sweep.stored:,} of {sweep.planned:,} launches"
        st.progress(share, text=words)
