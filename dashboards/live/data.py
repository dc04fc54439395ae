"""What the pages of the app show, kept while the store stays as it is."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import theme
from dashboards.content import Content
from dashboards.pages import built, page_named
from dashboards.render.fit import fitted
from dashboards.source import Source
from harness.analysis.changing import Mark
from harness.analysis.choices import choices
from harness.analysis.view import View
from harness.config.catalog import gpus
from harness.store import Store, open_store

KEPT = 64
"""Pages that are kept, by store, state and view."""


@dataclass(frozen=True)
class Drawn:
    """A chart as Vega-Lite, apart from its rows."""

    spec: dict[str, Any]
    """The light one, laid out for no width yet, without data and title."""
    rows: pd.DataFrame
    """What it draws."""

    def at(self, width: int) -> dict[str, Any]:
        """The spec for a width, px."""
        return fitted(deepcopy(self.spec), width)


@dataclass(frozen=True)
class Built:
    """A page, ready to be shown in any width."""

    content: Content
    """Its texts and tables."""
    charts: dict[str, Drawn]
    """By section's id."""


@st.cache_resource(show_spinner=False)
def store_at(url: str) -> Store:
    """The store, read-only: one for all visitors, whose threads may share it."""
    return open_store(url, read_only=True)


@st.cache_data(show_spinner=False, max_entries=4)
def known(url: str, now: Mark) -> dict[str, list[str]]:
    """What filters may be, as long as the store is as it is ``now``."""
    return choices(store_at(url))


@st.cache_resource(show_spinner=False, max_entries=8)
def _source(url: str, now: Mark, view: View, link: str) -> Source:
    return Source(store_at(url), view, gpus(), link=link)


@st.cache_resource(show_spinner=False, max_entries=KEPT)
def page(url: str, now: Mark, name: str, view: View, link: str) -> Built:
    """A page of the store as it is ``now``. Raises what ``build`` does; that isn't kept."""
    content = built(page_named(name), _source(url, now, view, link))
    charts = {s.id: _drawn(s.chart) for s in content.sections if s.chart is not None}
    return Built(content, charts)


def _drawn(chart: Any) -> Drawn:
    spec, rows = theme.without_rows(chart.to_dict())
    spec.pop("title")
    return Drawn(spec, pd.DataFrame(rows))
