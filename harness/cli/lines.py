"""Lines of a list, wrapped at words to the terminal's width and indented."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.text import Text


def print_line(console: Console, text: str, indent: int = 0, style: str = "") -> None:
    """Print ``text`` as it is, without markup; long words such as paths stay whole."""
    wrapped = textwrap.fill(
        text,
        width=console.width,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    console.print(Text(wrapped, style=style), soft_wrap=True)
