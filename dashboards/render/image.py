"""A chart as a picture of its own: PNG or SVG, drawn without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from dashboards import theme
from dashboards.render.fit import fitted
from harness.errors import ConfigError

WIDTH = 1100
"""Width that charts of several panels are laid out for, px."""

FORMATS = (".png", ".svg")


def picture(chart: Any, suffix: str, *, dark: bool = False, width: int = WIDTH) -> bytes:
    """The finished chart as the bytes of a PNG (at twice its size) or SVG file.

    Raises:
        ConfigError: another suffix than FORMATS has.
    """
    if suffix not in FORMATS:
        raise ConfigError(f"a chart is written as {' or '.join(FORMATS)}, not {suffix or 'that'}")
    spec = fitted(chart.to_dict(), width)
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    spec = theme.dark(spec) if dark else spec
    if suffix == ".svg":
        return str(vl_convert.vegalite_to_svg(spec, vl_version=version)).encode()
    return bytes(vl_convert.vegalite_to_png(spec, vl_version=version, scale=2))


def write_picture(chart: Any, path: Path, *, dark: bool = False, width: int = WIDTH) -> Path:
    """Write ``picture`` to ``path``, whose ending says the format."""
    data = picture(chart, path.suffix.lower(), dark=dark, width=width)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
