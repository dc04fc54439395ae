"""Rendering: sections of text, charts and tables, made into one HTML file without a network.

The file asks for nothing from outside (its content security policy forbids it): Vega stands in it
once, each chart's data once, as columns. Every text is escaped; a kernel's name is never markup.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import altair as alt
import jinja2
import vl_convert
from markupsafe import Markup

from dashboards import theme


@dataclass(frozen=True)
class Section:
    """One part of a page."""

    id: str
    """Anchor."""
    short: str
    """What the page's navigation calls it."""
    text: str = ""
    """A line or two above the chart."""
    chart: Any = None
    """An Altair chart finished by ``theme``; its title and subtitle become heading and text."""
    table: Markup | None = None
    """A table from ``tables.html``."""
    folded: str = ""
    """Text of the line that unfolds the table; "" shows it at once."""
    title: str = ""
    """Heading, where it isn't the chart's."""
    code: str = ""
    """A command to copy."""


@dataclass(frozen=True)
class Tile:
    """One number of the headline."""

    value: str
    """The number, as text."""
    label: str
    """What it counts."""
    kind: str = "plain"
    """plain, good or bad."""


@lru_cache(maxsize=1)
def vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script, fit for a script element. Takes seconds."""
    major, minor = alt.SCHEMA_VERSION.lstrip("v").split(".")[:2]
    bundle: str = vl_convert.javascript_bundle(vl_version=f"{major}.{minor}")  # type: ignore[call-arg]  # its stub forgets the default
    return in_script(bundle)


def in_script(text: str) -> str:
    """``text`` so that no part of it ends the script element or opens a comment in it."""
    text = re.sub(r"<(?=/?script)", r"\\x3C", text, flags=re.IGNORECASE)
    return text.replace("<!--", "\\x3C!--")


def in_json(value: Any) -> str:
    """``value`` as JSON that can stand in a script element whatever its strings say."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def render(
    *,
    title: str,
    lead: str,
    sections: list[Section],
    tiles: list[Tile] | None = None,
    findings: list[str] | None = None,
    footer: str = "",
    version: str = "",
) -> str:
    """The whole page as HTML."""
    charts: list[dict[str, Any]] = []
    data: list[dict[str, Any]] = []
    shown = [_shown(section, charts, data) for section in sections]
    folder = resources.files("dashboards.render")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(folder.joinpath("page.html").read_text("utf-8"))
    return template.render(
        title=title,
        lead=lead,
        tiles=tiles or [],
        findings=findings or [],
        sections=shown,
        footer=footer,
        version=version,
        css=Markup(folder.joinpath("page.css").read_text("utf-8")),
        js=Markup(folder.joinpath("page.js").read_text("utf-8")),
        vega=Markup(vega()) if charts else "",
        charts=Markup(in_json({"charts": charts, "data": data})) if charts else "",
    )


def _shown(
    section: Section, charts: list[dict[str, Any]], data: list[dict[str, Any]]
) -> dict[str, Any]:
    """What the template needs of a section; its chart and data join those of the page."""
    title, text, number = section.title, section.text, None
    if section.chart is not None:
        spec = section.chart.to_dict()
        heading = spec.pop("title")
        if isinstance(heading, dict):
            title = title or heading["text"]
            text = " ".join(filter(None, [heading.get("subtitle", ""), text]))
        else:
            title = title or heading
        table = columnar(spec.pop("data")["values"])
        if table not in data:
            data.append(table)
        number = len(charts)
        charts.append({"light": spec, "dark": theme.dark(spec), "data": data.index(table)})
    return {
        "id": section.id,
        "title": title,
        "short": section.short,
        "text": text,
        "chart": number,
        "table": section.table,
        "folded": bool(section.folded),
        "summary": section.folded,
        "code": section.code,
    }


def columnar(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows as names of columns and lists of values: names are written once, not once a row."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return {"columns": columns, "values": [[row.get(c) for c in columns] for row in rows]}
