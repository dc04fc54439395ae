"""CSV tables: rows with their line numbers, and numbers that name their cell when they are none."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator

from harness.importers.source import Source

Cells = dict[str, str]

NO_VALUE = ("", "nan", "none", "null")
"""Cells, in lower case, that say there is no value."""


def header(source: Source, delimiter: str) -> list[str]:
    """The names of the columns: the first line; none where it can't be one of a table."""
    first = source.text.split("\n", 1)[0].rstrip("\r")
    try:
        return next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error:  # a cell of 128 kB and more, such as a line of JSON
        return []


def rows(source: Source, delimiter: str) -> Iterator[tuple[int, Cells]]:
    """Line number and cells by column, of each row. Raises ImportFailed on a ragged one."""
    reader = csv.reader(source.text.splitlines(keepends=True), delimiter=delimiter)
    names: list[str] = []
    try:
        for cells in reader:
            if not names:
                names = [name.strip() for name in cells]
                if len(set(names)) != len(names):
                    source.fail("two columns have the same name", 1)
            elif any(cell.strip() for cell in cells):
                if len(cells) != len(names):
                    source.fail(f"{len(cells)} cells under {len(names)} columns", reader.line_num)
                yield (
                    reader.line_num,
                    {name: cell.strip() for name, cell in zip(names, cells, strict=True)},
                )
    except csv.Error as error:
        source.fail(f"not CSV: {error}", reader.line_num)


def number(source: Source, line: int, column: str, cell: str) -> float:
    """The finite number that a cell says."""
    try:
        value = float(cell)
    except ValueError:
        source.fail(f"{column}={cell!r} is not a number", line)
    if not math.isfinite(value):
        source.fail(f"{column}={cell!r} is not a finite number", line)
    return value
