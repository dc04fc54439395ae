"""A page as one HTML file without a network, or as one of a site's.

The file asks for nothing from outside (its content security policy forbids it). Alone, Vega stands
in it once; in a site, all pages load the one file beside them. Each chart's data stands once, as
columns. Every text is escaped; a kernel's name is never markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import quote

import altair as alt
import jinja2
import vl_convert
from markupsafe import Markup, escape

from dashboards import theme
from dashboards.content import Content, Section, Table


@dataclass(frozen=True)
class Site:
    """What a page of a site knows of the others."""

    pages: Sequence[tuple[str, str, bool]]
    """Of each: file, title, whether it is the one at hand."""
    vega: str
    """File with Vega."""
    link: str = ""
    """Address of a result, with ``{}`` for its name."""
    anchors: bool = False
    """Rows of tables carry the names of their results: links to results lead here."""


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
    content: Content,
    *,
    title: str,
    question: str,
    footer: str = "",
    version: str = "",
    site: Site | None = None,
) -> str:
    """The whole page as HTML; ``title`` where the content has none of its own, ``question`` is the
    first line that is read."""
    charts: list[dict[str, Any]] = []
    data: list[dict[str, Any]] = []
    shown = [_shown(section, charts, data, site) for section in content.sections]
    folder = resources.files("dashboards.render")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(folder.joinpath("page.html").read_text("utf-8"))
    return template.render(
        title=content.title or title,
        question=question,
        content=content,
        sections=shown,
        site=site,
        footer=footer,
        version=version,
        css=Markup(folder.joinpath("page.css").read_text("utf-8")),
        tables_js=Markup(folder.joinpath("tables.js").read_text("utf-8")),
        js=Markup(folder.joinpath("page.js").read_text("utf-8")),
        vega=Markup(vega()) if charts and site is None else "",
        charts=Markup(in_json({"charts": charts, "data": data})) if charts else "",
    )


def _shown(
    section: Section, charts: list[dict[str, Any]], data: list[dict[str, Any]], site: Site | None
) -> dict[str, Any]:
    """What the template needs of a section; its chart and data join those of the page."""
    number = None
    if section.chart is not None:
        spec, rows = theme.without_rows(section.chart.to_dict())
        spec.pop("title")
        table = columnar(rows)
        if table not in data:
            data.append(table)
        number = len(charts)
        charts.append({"light": spec, "dark": theme.dark(spec), "data": data.index(table)})
    known = section.table is not None and bool(section.table.rows)
    return {
        "id": section.id,
        "title": section.heading,
        "short": section.short,
        "text": section.note,
        "chart": number,
        "table": table_of(section, site) if known else None,
        "folded": "" if number is None or section.shown else f"Table: {section.label}",
        "code": section.code,
    }


def table_of(section: Section, site: Site | None) -> Markup:
    """A section's table, with its links to results where a site has them."""
    link, anchors = (site.link, site.anchors) if site else ("", False)
    assert section.table is not None
    return html(section.table, section.label or section.heading, link=link, anchors=anchors)


def html(table: Table, label: str, *, link: str = "", anchors: bool = False) -> Markup:
    """The table in a box that scrolls by itself; ``label`` names it to a screen reader.

    A row about a result begins with a ``link`` to it; with ``anchors`` it is what links lead to.
    """
    columns = range(len(table.columns))
    kind = ["n" if i in table.numbers else "w" if i in table.wide else "" for i in columns]

    def cells(tag: str, texts: list[str], address: str = "") -> str:
        parts = []
        for i, text in enumerate(texts):
            attribute = f" class={kind[i]}" if i < len(kind) and kind[i] else ""
            inner = escape(text)
            if address and not i:
                inner = Markup('<a href="{}">{}</a>').format(address, text)
            parts.append(f"<{tag}{attribute}>{inner}")
        return "".join(parts)

    head = cells("th", table.columns)
    lines = []
    for row, name in zip(table.rows, table.results or [""] * len(table.rows), strict=True):
        anchor = Markup(' id="{}"').format(name) if anchors and name else ""
        address = link.format(quote(name)) if link and name and not anchors else ""
        lines.append(f"<tr{anchor}>{cells('td', row, address)}\n")
    return Markup(  # closing tags that HTML lets out are left out: 2,000 rows are worth it
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"<table><thead><tr>{head}</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def columnar(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows as names of columns and lists of values: names are written once, not once a row."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return {"columns": columns, "values": [[row.get(c) for c in columns] for row in rows]}
