"""A page's content as Streamlit's elements. Every text is text: no name is Markdown or HTML."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

import pandas as pd
import streamlit as st
from markupsafe import Markup, escape

from dashboards import theme
from dashboards.content import Content, Section, Table
from dashboards.formats import MISSING
from dashboards.live.data import Built, Drawn

Open = Callable[[str], None]
"""Called with the name of the result that a visitor chose."""


def style() -> None:
    """The look of what ``page`` writes."""
    css = resources.files("dashboards.live").joinpath("live.css").read_text("utf-8")
    st.html(f"<style>{css}</style>")


def head(content: Content, title: str, question: str) -> None:
    """Heading, question and answer."""
    parts = [
        Markup("<h1>{}</h1>").format(content.title or title),
        Markup('<p class="question">{}</p>').format(question),
        Markup('<p class="lead">{}</p>').format(content.lead),
    ]
    if content.tiles:
        tiles = Markup("").join(
            Markup('<li class="{}"><b>{}</b> {}</li>').format(t.kind, t.value, t.label)
            for t in content.tiles
        )
        parts.append(Markup('<ul class="tiles">{}</ul>').format(tiles))
    parts += [Markup('<p class="finding">{}</p>').format(line) for line in content.findings]
    st.html(str(Markup('<div class="attnbench">{}</div>').format(Markup("").join(parts))))


def sections(built: Built, page: str, width: int, open_result: Open) -> None:
    """Every section: heading, note, chart, table and code."""
    for section in built.content.sections:
        words = Markup('<h2 id="{}">{}</h2>').format(section.id, section.heading)
        if section.note:
            words += Markup('<p class="note">{}</p>').format(section.note)
        st.html(str(Markup('<div class="attnbench">{}</div>').format(words)))
        if section.id in built.charts:
            chart(built.charts[section.id], f"{page}-{section.id}", width)
        if section.table is not None and section.table.rows:
            _table(section, section.table, page, open_result)
        if section.code:
            st.code(section.code, language=None, wrap_lines=True)


def chart(drawn: Drawn, key: str, width: int) -> None:
    """A chart laid out for ``width`` px, in the visitor's light or dark."""
    spec = drawn.at(width)
    if st.context.theme.type == "dark":
        spec = theme.dark(spec)
    alt = str(spec.pop("description", ""))
    st.vega_lite_chart(drawn.rows, spec, width="content", theme=None, key=key, alt=alt)


def _table(section: Section, table: Table, page: str, open_result: Open) -> None:
    key = f"{page}-{section.id}-table"
    if section.chart is not None and not section.shown:
        with st.expander(f"Table: {escaped(section.label)}"):
            _grid(section, table, key, open_result)
    else:
        _grid(section, table, key, open_result)


def _grid(section: Section, table: Table, key: str, open_result: Open) -> None:
    frame = frame_of(table)
    columns = {
        name: st.column_config.NumberColumn(name, format="localized")
        if pd.api.types.is_numeric_dtype(frame[name])
        else st.column_config.TextColumn(name)
        for name in frame.columns
    }
    if table.results:
        st.caption("Choose a row to see everything about its measurement.")

        def chosen() -> None:
            rows = st.session_state[key].selection.rows
            if rows and table.results[rows[0]]:
                open_result(table.results[rows[0]])

        st.dataframe(
            frame,
            key=key,
            hide_index=True,
            column_config=columns,
            on_select=chosen,
            selection_mode="single-row",
            alt=section.label or section.heading,
        )
    else:
        st.dataframe(
            frame,
            key=key,
            hide_index=True,
            column_config=columns,
            alt=section.label or section.heading,
        )
    st.download_button(
        "Save as CSV",
        data=lambda: frame_of(table).to_csv(index=False).encode(),
        file_name=f"{key.removesuffix('-table')}.csv",
        mime="text/csv",
        key=f"{key}-csv",
        on_click="ignore",
        type="tertiary",
    )


def frame_of(table: Table) -> pd.DataFrame:
    """The table's texts; columns that hold nothing but numbers as numbers, so that they sort."""
    names = _unique(table.columns)
    frame = pd.DataFrame(table.rows, columns=names, dtype=object)
    for place in table.numbers:
        plain = frame.iloc[:, place].astype(str).str.replace(",", "").str.replace("−", "-")
        numbers = pd.to_numeric(plain, errors="coerce")
        if numbers.notna().any() and (numbers.notna() | plain.isin([MISSING, ""])).all():
            frame[names[place]] = numbers
    return frame


def _unique(names: list[str]) -> list[str]:
    """Names as they are; one that repeats gets its place behind it, since a frame needs them so."""
    return [f"{n} ({i})" if n in names[:i] else n for i, n in enumerate(names)]


def escaped(text: str) -> str:
    """``text`` where Streamlit reads Markdown: labels, captions, messages."""
    from dashboards.render.markdown import plain

    return plain(text).replace("$", "\\$").replace(":", "\\:")


def problem(text: str) -> None:
    """What is the matter, in place of a page."""
    st.html(
        str(Markup('<div class="attnbench problem" role="alert">{}</div>').format(escape(text)))
    )
