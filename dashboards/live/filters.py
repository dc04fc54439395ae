"""The filters beside every page, from a view and back to one."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from harness.analysis.view import ALL, LAST, View
from harness.errors import ConfigError

SEVERAL = {
    "kernel": "Kernels",
    "workload": "Workloads",
    "dtype": "Dtypes",
    "gpu": "GPUs",
    "experiment": "Experiments",
}
"""Filters of several values, with their labels."""
TEXTS = {
    "a": ("Compare", "the sweep before"),
    "b": ("with", "the newest sweep"),
    "by": ("which are values of", "sweeps; kernel, gpu, env.torch …"),
    "metric": ("Metric", "latency"),
}
"""Filters of one text, with their labels and what stands for none: of comparison and history."""
_SWEEPS = {LAST: "the newest sweep", ALL: "newest of every series"}
_KEY = "filter: {}"


def fill(view: View) -> None:
    """Put a link's view into the widgets; before they are drawn."""
    for name in SEVERAL:
        st.session_state[_KEY.format(name)] = list(getattr(view, name))
    for name in ("sweep", "since", "baseline", *TEXTS):
        st.session_state[_KEY.format(name)] = getattr(view, name)


def draw(known: dict[str, list[str]], now: View) -> View:
    """Draw the widgets and return ``now`` with what they say.

    What a link names stays to be chosen though the store hasn't got it: the page then says so.
    """
    chosen: dict[str, str | tuple[str, ...]] = {
        name: tuple(_several(name, label, known[name])) for name, label in SEVERAL.items()
    }
    sweep = _one("sweep", "Sweep", [LAST, ALL, *known["sweep"]], _SWEEPS)
    baseline = _one("baseline", "Baseline of speed-ups", ["", *known["kernel"]], {"": "automatic"})
    since = st.text_input(
        "Since", key=_KEY.format("since"), placeholder="7d, 12h or 2026-11-01"
    ).strip()
    with st.expander("Comparison and history"):
        chosen |= {name: _text(name, label, none) for name, (label, none) in TEXTS.items()}
    view = replace(now, sweep=sweep, baseline=baseline, **chosen)  # type: ignore[arg-type]
    try:
        return View.from_params({**view.to_params(), "since": since} if since else _bare(view))
    except ConfigError as error:
        st.error(_as_text(str(error)))
        return replace(view, since="")


def _bare(view: View) -> dict[str, str | list[str]]:
    return replace(view, since="").to_params()


def _several(name: str, label: str, known: list[str]) -> list[str]:
    key = _KEY.format(name)
    options = list(dict.fromkeys([*st.session_state.get(key, []), *known]))
    found: list[str] = st.multiselect(
        label,
        options,
        key=key,
        accept_new_options=name == "kernel",
        placeholder="all, or a glob: sdpa_*" if name == "kernel" else "all",
    )
    return found


def _one(name: str, label: str, known: list[str], words: dict[str, str]) -> str:
    key = _KEY.format(name)
    options = list(dict.fromkeys([*known, st.session_state.get(key, known[0])]))
    found = st.selectbox(label, options, key=key, format_func=lambda o: words.get(o, o))
    return known[0] if found is None else str(found)


def _text(name: str, label: str, none: str) -> str:
    found: str = st.text_input(label, key=_KEY.format(name), placeholder=none)
    return found.strip()


def _as_text(text: str) -> str:
    from dashboards.render.markdown import plain

    return plain(text).replace("$", "\\$").replace(":", "\\:")
