"""Fitting a chart to a width, where no script in a browser does it: page.js has the same rules."""

from __future__ import annotations

import math
from typing import Any

GAP = 18
"""Between panels, px."""


def fitted(spec: dict[str, Any], width: int) -> dict[str, Any]:
    """``spec`` of a finished chart, changed so that it is about ``width`` px wide; returns it.

    Panels wrap into as many columns as fit; a lone chart takes the width there is.
    """
    layout, legend = spec["usermeta"]["attnbench"], spec["config"]["legend"]
    if layout.get("legend_entry"):
        legend["columns"] = max(1, int((width - 20) / layout["legend_entry"]))
    legend["gradientLength"] = min(240, width - 60)
    if "message" in layout:
        return spec | {"width": width - 20}
    each, room = layout.get("chrome_each", 0), width - 14 - layout["chrome"]
    fits = int((room + GAP) / (layout["panel_width"] + each + GAP))
    most = max(1, min(layout["columns"], layout["panels"], fits))
    columns = math.ceil(layout["panels"] / math.ceil(layout["panels"] / most))  # even rows
    extra = each * (columns - 1)
    share = int((room - extra - GAP * (columns - 1)) / columns)
    panel = max(layout.get("least", 200), min(560, layout.get("widest", 560), share))
    if "spec" not in spec:
        return spec | {"width": panel}
    spec["columns"] = columns
    spec["spec"]["width"] = panel
    header = {**(spec["facet"].get("header") or {}), "labelLimit": panel + 20}
    if max(map(len, spec["facet"]["sort"])) * 7.6 > panel:
        header["labelExpr"] = "split(datum.label, ' · ')"
    spec["facet"]["header"] = header
    return spec
