"""Pages: one file each, found because it is here. A page is a module with

    TITLE      what navigation calls it
    QUESTION   the question that it answers: the first line that a reader sees
    PLACE      its place among the pages, a number
    CHARTS     names of its charts: ids of its sections, what ``attnbench chart NAME`` draws
    build(source) -> Content

``build`` asks ``source`` (dashboards.source), or with ``source.store`` the queries of
harness.analysis, and gives text, charts and the table behind every chart. Where there is nothing to
show it says what to do; it raises StoreError or ConfigError for a link that leads nowhere.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Protocol, cast

from dashboards.content import Content, Section
from dashboards.source import Source
from harness.errors import ConfigError, did_you_mean


class Page(Protocol):
    """The module of a page."""

    TITLE: str
    QUESTION: str
    PLACE: float
    CHARTS: tuple[str, ...]

    def build(self, source: Source) -> Content:
        """The page of what ``source`` shows."""


def pages() -> dict[str, Page]:
    """Every page by its name, which is its module's, in the order that navigation has."""
    found = {
        module.name: cast(Page, importlib.import_module(f"{__name__}.{module.name}"))
        for module in pkgutil.iter_modules(__path__)
    }
    return dict(sorted(found.items(), key=lambda item: item[1].PLACE))


def page_named(name: str) -> Page:
    """The page of that name. Raises ConfigError, naming close ones, where there is none."""
    known = pages()
    if name not in known:
        raise ConfigError(f"no page {name!r}. {did_you_mean(name, known)}")
    return known[name]


def built(page: Page, source: Source) -> Content:
    """``page.build`` with the colours that kernels have on every page."""
    with source.colours():
        return page.build(source)


def chart_names() -> dict[str, Page]:
    """Every chart by its name, with the page that it stands on."""
    return {name: page for page in pages().values() for name in page.CHARTS}


def chart_named(name: str, source: Source) -> Section:
    """The section of one chart; its ``chart`` is None where there is nothing to draw.

    Raises:
        ConfigError: no chart has that name.
    """
    known = chart_names()
    if name not in known:
        raise ConfigError(f"no chart {name!r}. {did_you_mean(name, known)}")
    content = built(known[name], source)
    for section in content.sections:
        if section.id == name:
            return section
    return Section(name, name, text=content.lead)
