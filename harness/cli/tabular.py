"""A table of texts, for the terminal and as Markdown."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.cli.lines import print_line
from harness.cli.results import WIDE


class Page:
    """Text that is put together line by line; ``text`` is all of it."""

    def __init__(self, markdown: bool) -> None:
        self._markdown = markdown
        self._file = StringIO()
        self._console = Console(file=self._file, width=WIDE if markdown else _width())

    @property
    def text(self) -> str:
        """What was put."""
        return self._file.getvalue()

    def line(self, text: str = "", indent: int = 0) -> None:
        """A line, wrapped to the terminal; a paragraph or item of a list in Markdown."""
        if self._markdown:
            self._file.write(f"{'- ' if indent else ''}{text}\n")
        else:
            print_line(self._console, text, indent)

    def heading(self, text: str) -> None:
        """A heading."""
        self._file.write(f"\n#### {text}\n\n" if self._markdown else f"\n{text}\n")

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)
    ) -> None:
        """A table; the columns in ``left`` are flush left and may wrap, the others are numbers."""
        if self._markdown:
            marks = ("---" if i in left else "--:" for i in range(len(columns)))
            lines = [columns, list(marks), *rows]
            for cells in lines:
                texts = (text.replace("|", "\\|").replace("\n", " ") for text in cells)
                self._file.write(f"| {' | '.join(texts)} |\n")
            return
        shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for number, name in enumerate(columns):
            flush = number in left
            shown.add_column(
                name,
                justify="left" if flush else "right",
                no_wrap=not flush,
                overflow="fold",
            )
        for row in rows:
            shown.add_row(*map(escape, row))
        self._console.print(shown)


def _width() -> int:
    asked = os.environ.get("COLUMNS", "")
    if asked.isdigit():
        return int(asked)
    return Console().width if sys.stdout.isatty() else WIDE
