"""An export as JSON Lines: one file, read and written a line at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import ImportFailed
from harness.model import Record
from harness.model.identity import canonical_json
from harness.store.transfer.parts import (
    HEADER,
    Counts,
    Thing,
    check_header,
    counts_of,
    header,
    plain,
    thing_of,
)

_TAIL = 4096
"""Bytes that the last line fits into."""


class LinesSink:
    """Writes a ``.jsonl`` file."""

    def __init__(self, path: Path, sweeps: Sequence[str] | None) -> None:
        self._file = path.open("x", encoding="utf-8", newline="\n")
        self._line(HEADER, canonical_json(header(sweeps)))

    def put(self, kind: str, thing: Thing) -> None:
        """A line for ``thing``."""
        text = thing.text() if isinstance(thing, Record) else canonical_json(plain(thing))
        self._line(kind, text)

    def end(self, counts: Counts) -> None:
        """The last line, without which the file is refused."""
        self._line("end", canonical_json(asdict(counts)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _line(self, kind: str, text: str) -> None:
        self._file.write(f'{{"{kind}":{text}}}\n')


def is_lines(path: Path) -> bool:
    """Whether a file begins as such an export does."""
    with path.open("rb") as file:
        return file.read(64).lstrip().startswith((f'{{"{HEADER}"').encode())


def lines_counts(path: Path) -> Counts:
    """What the file holds, by its last line. Raises ImportFailed where it is cut short."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            last = (file.read().strip().splitlines() or [b""])[-1]
    except OSError as error:
        raise ImportFailed(f"{path} can't be read: {error.strerror}") from error
    try:
        found = json.loads(last).get("end")
    except (ValueError, AttributeError):
        found = None
    return counts_of(found, path)


def read_lines(path: Path) -> Iterator[tuple[str, str, Thing]]:
    """(where, kind, thing) of each line between the first and the last.

    Raises ImportFailed, naming file and line, where one can't be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"line {number}"
            try:
                ((kind, facts),) = json.loads(line).items()
                if number == 1:
                    check_header(facts if kind == HEADER else None, path)
                elif kind != "end":
                    yield where, kind, thing_of(kind, _object(facts))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ImportFailed(f"{path}, {where} can't be read: {error}") from error


def _object(facts: Any) -> dict[str, Any]:
    if not isinstance(facts, dict):
        raise TypeError("it is no object")
    return facts
