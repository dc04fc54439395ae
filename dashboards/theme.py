"""One look for every chart: colours, shapes, fonts, and the same look in the dark.

A chart carries its whole look in its own config: no global state of Altair is touched, so two
pages in one process can't disturb each other.

Colours. A kernel has one colour and one point shape wherever it is drawn. Its place in the palette
comes from a hash of its name, and only names that fall on a taken place move on; so adding a
kernel leaves the others as people remember them, which an index into the sorted list would not.
Within ``among(names)`` the places are those among all these names (a store's), so that a chart
that draws a few of them gives each the colour that it has on every other page.

The hues are those of Okabe and Ito (colour-blind safe), darkened or lightened until each has a
contrast of at least 3:1 against its background; shapes say the same a second time.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import altair as alt
from altair.utils.schemapi import debug_mode

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

LIGHT = {
    "background": "#ffffff",
    "ink": "#1b1f24",
    "muted": "#59636e",
    "line": "#d1d9e0",
    "grid": "#eaeef2",
    "neutral": "#f3f1ee",
    "hatch": "#e3e7eb",
    "slow": "#a84a00",
    "fast": "#00508c",
}
DARK = {
    "background": "#14171c",
    "ink": "#e6e9ed",
    "muted": "#9aa4af",
    "line": "#3d444d",
    "grid": "#262b32",
    "neutral": "#2b2d31",
    "hatch": "#333942",
    "slow": "#f08a3c",
    "fast": "#4ea3e6",
}
PALETTE = (
    "#0072b2",  # blue
    "#d55e00",  # vermilion
    "#00805e",  # bluish green
    "#b0528c",  # reddish purple
    "#1a1f26",  # black
    "#9a7500",  # ochre, for yellow
    "#3d9bd6",  # sky blue
    "#7a4fbf",  # violet
    "#8c3b1b",  # brown
    "#7d8590",  # grey
)
PALETTE_DARK = (
    "#4ba3e3",
    "#f47b3a",
    "#2fc29a",
    "#e08fc0",
    "#f2f4f6",
    "#e3c04a",
    "#9fd3f7",
    "#b79bf0",
    "#d08d6d",
    "#8b949e",
)
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")

STATUS = {
    "ok": "#00805e",
    "skipped": "#7d8590",
    "out_of_memory": "#0072b2",
    "incorrect": "#d55e00",
    "invalid": "#b0528c",
    "timeout": "#9a7500",
    "error": "#8c3b1b",
    "crashed": "#1a1f26",
    "lost": "#7a4fbf",
}
"""Colour of each status; the words stand beside it wherever it is used."""

_TO_DARK = {LIGHT[name]: DARK[name] for name in LIGHT} | dict(
    zip(PALETTE, PALETTE_DARK, strict=True)
)


def places(kernels: Iterable[str], known: Mapping[str, int] | None = None) -> dict[str, int]:
    """Place of each kernel in the palette: unique, and stable while other kernels come and go.

    Those of ``known`` have theirs already.
    """
    size = len(PALETTE)
    out = dict(known or {})
    taken = set(out.values())
    for i, name in enumerate(sorted(set(kernels) - out.keys()), start=len(out)):
        first = i // size * size  # a second round of the palette only where the first is full
        place = zlib.crc32(name.encode()) % size
        while first + place in taken:
            place = (place + 1) % size
        taken.add(first + place)
        out[name] = first + place
    return out


_AMONG: ContextVar[tuple[str, ...]] = ContextVar("kernels that have a colour", default=())


@contextmanager
def among(names: Iterable[str]) -> Iterator[None]:
    """Within it, a kernel's colour and shape are those it has among all of ``names``."""
    token = _AMONG.set(tuple(names))
    try:
        yield
    finally:
        _AMONG.reset(token)


def _places(kernels: Sequence[str]) -> dict[str, int]:
    """Places of ``kernels``; a name that isn't among all (it has its options in it) moves none."""
    return places(kernels, places(_AMONG.get()))


def colours(kernels: Sequence[str]) -> list[str]:
    """Colour of each of ``kernels``."""
    at = _places(kernels)
    return [PALETTE[at[k] % len(PALETTE)] for k in kernels]


def shapes(kernels: Sequence[str]) -> list[str]:
    """Point shape of each of ``kernels``; tells apart those that share a colour."""
    at = _places(kernels)
    return [SHAPES[(at[k] + at[k] // len(PALETTE)) % len(SHAPES)] for k in kernels]


def kernel_colour(kernels: Sequence[str], *, legend: bool = True) -> alt.Color:
    """The colour channel of every chart that draws kernels."""
    scale = alt.Scale(domain=list(kernels), range=colours(kernels))
    shown = alt.Legend() if legend else None
    return alt.Color("kernel:N", title="Kernel", scale=scale, legend=shown)


def kernel_shape(kernels: Sequence[str]) -> alt.Shape:
    """The shape channel; shares its legend with the colour."""
    scale = alt.Scale(domain=list(kernels), range=shapes(kernels))
    return alt.Shape("kernel:N", title="Kernel", scale=scale, legend=alt.Legend())


def config() -> dict[str, Any]:
    """Vega-Lite's config of the light look; ``dark`` turns a finished spec into the other."""
    ink, muted, line = LIGHT["ink"], LIGHT["muted"], LIGHT["line"]
    return {
        "background": LIGHT["background"],
        "font": FONT,
        "padding": 6,
        "view": {"stroke": line, "cornerRadius": 2},
        "title": {
            "anchor": "start",
            "color": ink,
            "font": FONT,
            "fontSize": 16,
            "fontWeight": 600,
            "subtitleFont": FONT,
            "subtitleColor": muted,
            "subtitleFontSize": 12,
            "subtitlePadding": 5,
            "offset": 12,
        },
        "header": {
            "labelColor": ink,
            "labelFontSize": 13,
            "labelFontWeight": 600,
            "labelAnchor": "start",
            "labelPadding": 6,
            "labelLimit": 0,
            "title": None,
        },
        "axis": {
            "labelColor": muted,
            "labelFontSize": 11,
            "titleColor": muted,
            "titleFontSize": 12,
            "titleFontWeight": 500,
            "titlePadding": 8,
            "gridColor": LIGHT["grid"],
            "domainColor": line,
            "tickColor": line,
            "domain": False,
            "labelOverlap": "greedy",
        },
        "legend": {
            "orient": "top",
            "direction": "horizontal",
            "labelColor": ink,
            "labelFontSize": 12,
            "labelLimit": 260,
            "titleColor": muted,
            "titleFontSize": 12,
            "titleFontWeight": 500,
            "symbolSize": 90,
            "symbolOpacity": 1,
            "columnPadding": 16,
            "rowPadding": 4,
            "columns": 5,
        },
        "range": {"category": list(PALETTE)},
        "facet": {"spacing": 18},
    }


ROWS = "rows"
"""Name of a chart's dataset: each has one."""


def dark(spec: Any) -> Any:
    """The same spec for a dark page: every colour of the theme replaced by its counterpart.

    Only whole strings that are a colour of the theme change, and none inside data or a domain:
    a kernel may be called what it likes.
    """
    if isinstance(spec, dict):
        keep = ("data", "datasets", "domain", "sort")
        return {k: v if k in keep else dark(v) for k, v in spec.items()}
    if isinstance(spec, list):
        return [dark(v) for v in spec]
    return _TO_DARK.get(spec, spec) if isinstance(spec, str) else spec


def finish(
    chart: Any, *, title: str, subtitle: str, description: str, layout: dict[str, Any]
) -> Any:
    """Title, alt text and look. ``layout`` tells a page how the chart may be fitted to a width:
    panels, panel_width (px, least), columns (most), chrome (px beside the panels)."""
    heading = alt.TitleParams(text=title, subtitle=subtitle) if subtitle else title
    chart = chart.properties(title=heading, description=description, usermeta={"attnbench": layout})
    return chart.configure(**config())


class Rows(alt.NamedData):
    """Data of a chart that goes into its spec as it is, as a dataset beside the chart.

    As plain values Altair would hold every cell to its schema, walk them all once more, and copy
    them for every layer: two thirds of the time that a report of 2,000 cells took.
    """

    def __init__(self, name: str, held: _Held, **more: Any) -> None:
        with debug_mode(False):
            super().__init__(name=name, held=held, **more)

    def to_dict(
        self,
        validate: bool = True,
        *,
        ignore: list[str] | None = None,
        context: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Its name; the rows go to the spec's ``datasets``."""
        if context is not None:
            context.setdefault("datasets", {})[self["name"]] = self["held"].rows
        return {"name": self["name"]}


@dataclass(frozen=True)
class _Held:
    """Rows in a shape that Altair passes on instead of copying."""

    rows: list[dict[str, Any]]


def inline(rows: list[dict[str, Any]]) -> Rows:
    """Rows as a chart's data: in the spec itself, whatever Altair's data transformers are."""
    return Rows(ROWS, _Held(rows))


def without_rows(spec: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A chart's spec without its data, and the rows that ``inline`` put there."""
    bare = {key: value for key, value in spec.items() if key not in ("data", "datasets")}
    return bare, spec["datasets"][ROWS]


def message(title: str, text: str) -> alt.Chart:
    """What stands in a chart's place where there is nothing to draw: says what to do instead."""
    chart = (
        alt.Chart(inline([{"text": text}]))
        .mark_text(align="left", x=4, fontSize=13, color=LIGHT["muted"], lineBreak="\n")
        .encode(text="text:N")
        .properties(width=560, height=60, view=alt.ViewBackground(stroke=None))
    )
    return finish(  # type: ignore[no-any-return]
        chart, title=title, subtitle="", description=f"{title}: {text}", layout={"message": text}
    )
