"""The width that a page has in a visitor's browser, to lay panels out for."""

from __future__ import annotations

import streamlit as st

STEP = 24
"""A change by fewer px (a scroll bar comes and goes) is none."""

_SCRIPT = f"""
export default function(component) {{
  const place = component.parentElement;
  let told = 0, timer = 0;
  const tell = () => {{
    const width = Math.floor(place.getBoundingClientRect().width || place.host?.clientWidth || 0);
    if (width > 0 && Math.abs(width - told) >= {STEP}) {{
      told = width;
      component.setStateValue("width", width);
    }}
  }};
  const soon = () => {{ clearTimeout(timer); timer = setTimeout(tell, 150); }};
  const watcher = new ResizeObserver(soon);
  const target = place.host ?? place;
  watcher.observe(target instanceof Element ? target : document.body);
  tell();
  return () => {{ clearTimeout(timer); watcher.disconnect(); }};
}}
"""


def page_width() -> int | None:
    """px; None until the browser has told it, which takes one more run."""
    measure = st.components.v2.component(
        "attnbench_width", html="<div style='height:0'></div>", js=_SCRIPT, isolate_styles=False
    )
    found = measure(key="width", default={"width": None}, on_width_change=lambda: None)
    return int(found.width) if found.width else None
