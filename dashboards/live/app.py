"""The script that Streamlit runs for each visitor: navigation, filters, one page."""

from __future__ import annotations

import os

import streamlit as st

from dashboards.live import address, data, filters, show
from dashboards.live.serve import STORE
from dashboards.live.watch import watch
from dashboards.live.width import page_width
from dashboards.pages import page_named, pages
from harness.analysis.changing import Mark, mark
from harness.analysis.view import View
from harness.errors import AttnbenchError


def main() -> None:
    """Draw the page that the URL names."""
    st.set_page_config("attnbench", layout="wide")
    show.style()
    url = os.environ[STORE]
    try:
        now = mark(data.store_at(url))
        known = data.known(url, now)
    except AttnbenchError as error:
        show.problem(f"The store can't be read. {error}")
        return
    came = address.arrived()
    if came is not None:
        page, view, matter = address.read(came)
        filters.fill(view)
        st.session_state.update(page=page, result=view.result, wrong=(matter, view))
    name = navigation()
    with st.sidebar:
        result = st.session_state["result"] if name == "result" else ""
        view = filters.draw(known, View(result=result))
        watch(url, now)
    address.write(name, view)
    matter, of_link = st.session_state["wrong"]
    if matter and of_link == view:  # until the visitor chooses something
        show.problem(f"This link says what can't be understood, and is left out: {matter}")
    try:
        body(url, now, name, view)
    except (AttnbenchError, ValueError) as error:  # ValueError: a baseline that is no kernel here
        show.problem(str(error))


def navigation() -> str:
    """The row of pages; returns the name of the one at hand, known or not."""
    known = pages()
    asked = st.session_state["page"]
    if asked not in known and asked is not None:
        st.session_state.update(page=None, lost=asked)
    chosen = st.segmented_control(
        "Page",
        list(known),
        key="page",
        format_func=lambda name: known[name].TITLE,
        label_visibility="collapsed",
        required=True,
    )
    return str(chosen or st.session_state["lost"])


def body(url: str, now: Mark, name: str, view: View) -> None:
    """The page itself."""
    page = page_named(name)
    width = page_width()
    built = data.page(url, now, name, view, address.link_of(view))
    show.head(built.content, page.TITLE, page.QUESTION)
    if view.result:
        st.button("All results", on_click=_open, args=[""])
    if width is not None:
        show.sections(built, name, width, _open)


def _open(result: str) -> None:
    """Go to a result's page, or with "" to that of all; before the next run."""
    st.session_state.update(page="result", result=result)


main()
