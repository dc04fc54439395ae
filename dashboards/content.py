"""What a page is made of: text, charts and tables, before anyone decides how it is shown.

The report and the site make HTML of it, ``attnbench report --format md`` Markdown, the live app its
own elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Row = list[str]


@dataclass(frozen=True)
class Table:
    """Texts in columns."""

    columns: list[str]
    """Headings, with units."""
    rows: list[Row]
    """As many texts a row."""
    numbers: frozenset[int] = frozenset()
    """Columns that hold numbers, set flush right."""
    wide: frozenset[int] = frozenset()
    """Columns of prose, which wrap."""
    results: list[str] = field(default_factory=list)
    """Name of the result that each row is about (``view.result_name``); empty: they are of none."""


@dataclass(frozen=True)
class Section:
    """One part of a page: an optional chart, with the table behind it."""

    id: str
    """Anchor, and the name of its chart."""
    short: str
    """What the page's navigation calls it."""
    text: str = ""
    """A line or two above the chart."""
    chart: Any = None
    """An Altair chart finished by ``theme``; its title and subtitle become heading and text."""
    table: Table | None = None
    """What the chart draws, or what there is instead of one."""
    label: str = ""
    """What the table is, to a screen reader and where it is unfolded."""
    shown: bool = False
    """The table stands open below its chart."""
    title: str = ""
    """Heading, where it isn't the chart's."""
    code: str = ""
    """A command, or an output, to copy."""

    @property
    def heading(self) -> str:
        """Its title, the chart's where it has none of its own."""
        return self.title or self._chart_words()[0]

    @property
    def note(self) -> str:
        """The chart's subtitle, then its own text."""
        return " ".join(filter(None, [self._chart_words()[1], self.text]))

    def _chart_words(self) -> tuple[str, str]:
        if self.chart is None:
            return "", ""
        title = self.chart.title
        if isinstance(title, str):
            return title, ""
        subtitle = title.subtitle
        return str(title.text), subtitle if isinstance(subtitle, str) else ""


@dataclass(frozen=True)
class Tile:
    """One number of the headline."""

    value: str
    """The number, as text."""
    label: str
    """What it counts."""
    kind: str = "plain"
    """plain, good or bad."""


@dataclass(frozen=True)
class Content:
    """A whole page."""

    lead: str
    """What it shows, of what; or why there is nothing, and what to do."""
    sections: list[Section]
    """Its parts, in order."""
    title: str = ""
    """Heading, where the page's TITLE doesn't say enough."""
    tiles: list[Tile] = field(default_factory=list)
    """Numbers of the headline."""
    findings: list[str] = field(default_factory=list)
    """The answer, in sentences."""
