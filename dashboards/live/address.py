"""The address: what a visitor looks at is in the URL, so that a link reproduces it.

Widgets hold page and filters while a visitor clicks around. On each run, what a visitor typed (a
URL that this session did not write itself) goes into the widgets before they are drawn; afterwards
what they say goes into the URL. All pages are one path: on deeper ones Streamlit's own script asks
for files that aren't there.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import streamlit as st

from harness.analysis.view import View
from harness.errors import ConfigError

FIRST = "sweep"
"""The page of an address that names none."""
_WRITTEN = "address: written"
Params = dict[str, list[str]]


def asked() -> Params:
    """What the URL says."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def arrived() -> Params | None:
    """What a link says, if the visitor has come by one (or went back) since the last run; None
    where the URL is this session's own."""
    params = asked()
    return None if params == st.session_state.get(_WRITTEN) else params


def write(page: str, view: View) -> None:
    """Make the URL say ``page`` and ``view``."""
    params = params_of(page, view)
    if params != asked():
        st.query_params.from_dict(params)
    st.session_state[_WRITTEN] = params


def params_of(page: str, view: View) -> Params:
    """The URL's parameters of a page of a view."""
    named = {} if page == FIRST else {"page": [page]}
    return named | {n: [v] if isinstance(v, str) else v for n, v in view.to_params().items()}


def link_of(view: View) -> str:
    """Address of a result's page under the same filters, with ``{}`` for the result's name."""
    rest = {n: v for n, v in params_of("result", view).items() if n != "result"}
    return f"?{urlencode(rest, doseq=True)}&result={{}}"


def read(params: Mapping[str, list[str]]) -> tuple[str, View, str]:
    """Page and view that a link asks for, and what is the matter with it ("" for nothing). A filter
    that can't be understood is left out: what it should be is not guessed."""
    filters = {name: values for name, values in params.items() if name != "page"}
    page = params.get("page", [FIRST])[-1]
    try:
        return page, View.from_params(filters), ""
    except ConfigError as error:
        good: Params = {}
        for name, values in filters.items():
            try:
                View.from_params({name: values})
            except ConfigError:
                continue
            good[name] = values
        return page, View.from_params(good), str(error)
