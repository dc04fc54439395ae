"""A file being read: its text, its JSON with the place of every value, and errors that name both.

JSON is parsed by the C parser; only when something is wrong is it parsed again by the Python one,
which can say on which line an object begins.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from json.decoder import JSONArray, JSONObject  # type: ignore[attr-defined]
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, NoReturn

from harness.errors import ImportFailed, shortened
from harness.model import External, utc_time

Place = tuple[str | int, ...]
"""The way to a value in a JSON document: keys and positions."""


@dataclass(frozen=True)
class Given:
    """What the person who imports knows and a file may not say."""

    measured_at: str = ""
    """When it was measured, ISO 8601."""
    device: str = ""
    """What it ran on, in place of what the file says."""
    version: str = ""
    """Commit or version of what was measured."""
    unit: str = ""
    """Unit of the values."""
    benchmark: str = ""
    """Name of the benchmark."""


class Source:
    """One file. Raises ImportFailed where it can't be read as UTF-8 text."""

    def __init__(self, path: Path, given: Given = Given()) -> None:
        self.path, self.given = path, given
        try:
            self.text = path.read_text("utf-8-sig")
        except FileNotFoundError:
            raise ImportFailed(f"no file {path}") from None
        except IsADirectoryError:
            raise ImportFailed(f"{path} is a folder: name its files") from None
        except OSError as error:
            raise ImportFailed(f"{path} can't be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ImportFailed(f"{path} is not UTF-8 text (byte {error.start})") from error

    def fail(self, message: str, line: int | None = None) -> NoReturn:
        """Raise ImportFailed naming the file and the line."""
        where = f"{self.path}{f', line {line}' if line else ''}"
        raise ImportFailed(f"{where}: {shortened(message)}")

    @cached_property
    def json(self) -> Node:
        """The document. NaN and infinities, which some tools write, become text."""
        return self._parsed(self.text, 1)

    def json_lines(self) -> Iterator[Node]:
        """One document a line; empty lines are skipped."""
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.strip():
                yield self._parsed(line, number, lines=True)

    def _parsed(self, text: str, first: int, lines: bool = False) -> Node:
        try:
            value = json.loads(text, parse_constant=str)
        except json.JSONDecodeError as error:
            self.fail(f"not JSON: {error.msg}", first + error.lineno - 1)
        except RecursionError:
            self.fail("not JSON that can be read: nested too deeply", first)
        return Node(self, value, (), first if lines else None)

    def line_of(self, place: Place) -> int | None:
        """The line on which the innermost object or list on the way to ``place`` begins."""
        value: Any = _Positions().decode(self.text)
        position = 0
        for step in ((), *place):
            if step != ():
                try:
                    value = value[step]
                except (KeyError, IndexError, TypeError):
                    break
            position = getattr(value, "position", position)
        return self.text.count("\n", 0, position) + 1

    def when(self, measured_at: str = "", line: int | None = None) -> str:
        """The time in UTC that the file or the person gives. Raises ImportFailed without one."""
        text = measured_at or self.given.measured_at
        if not text:
            self.fail(
                "the file doesn't say when it was measured: add --measured-at 2026-01-31T12:00",
                line,
            )
        try:
            return utc_time(text)
        except ValueError:
            self.fail(f"{text!r} is no ISO 8601 time", line)

    def device(self, device: str = "", line: int | None = None) -> str:
        """What it ran on, the person's word first. Raises ImportFailed where nobody says."""
        found = self.given.device or device
        if not found:
            self.fail(
                "the file doesn't say what it was measured on: add --device 'NVIDIA H100'", line
            )
        return found

    def result(self, where: str, at: int | Node | None, **facts: Any) -> External:
        """An External of this file, found ``at`` a line or node. Raises ImportFailed."""
        facts.setdefault("version", self.given.version)
        try:
            return External(origin=f"{self.path.name}: {where}", **facts)
        except (TypeError, ValueError) as error:
            self.fail(f"{where}: {error}", at.line if isinstance(at, Node) else at)


class Node:
    """A JSON value and where it stands, so that what is missing or wrong can be named."""

    def __init__(self, source: Source, value: Any, place: Place, line: int | None = None) -> None:
        self.source, self.value, self.place = source, value, place
        self._line = line

    @property
    def where(self) -> str:
        """The place as people write it, e.g. ``benchmarks[3].stats``."""
        text = ""
        for step in self.place:
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
        return text or f"line {self.line}"

    @property
    def line(self) -> int | None:
        """The line it stands on."""
        return self._line or self.source.line_of(self.place)

    def fail(self, message: str) -> NoReturn:
        """Raise ImportFailed naming file, line and place."""
        self.source.fail(f"{self.where} {message}", self.line)

    def __getitem__(self, key: str | int) -> Node:
        """A member, which must be there."""
        if not isinstance(self.value, dict if isinstance(key, str) else list):
            self.fail(f"should be {'an object' if isinstance(key, str) else 'a list'}")
        try:
            return self._child(key)
        except (KeyError, IndexError):
            self.fail(f"has no {key!r}")

    def get(self, key: str) -> Node | None:
        """A member, or None where it is missing or null."""
        if not isinstance(self.value, dict):
            self.fail("should be an object")
        return self._child(key) if self.value.get(key) is not None else None

    def _child(self, key: str | int) -> Node:
        return Node(self.source, self.value[key], (*self.place, key), self._line)

    def each(self) -> Iterator[Node]:
        """Its elements; it must be a list."""
        if not isinstance(self.value, list):
            self.fail("should be a list")
        return (self._child(i) for i in range(len(self.value)))

    def text(self) -> str:
        """Its text."""
        if not isinstance(self.value, str):
            self.fail(f"should be text, not {self.value!r}")
        return self.value

    def number(self) -> float:
        """Its number, also from text that is one (nvbench writes them so)."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float | str):
            self.fail(f"should be a number, not {self.value!r}")
        try:
            number = float(self.value)
        except (ValueError, OverflowError):
            self.fail(f"should be a number, not {self.value!r}")
        if not math.isfinite(number):
            self.fail(f"should be a finite number, not {self.value!r}")
        return number

    def dict(self) -> dict[str, Any]:
        """Its members as plain values."""
        if not isinstance(self.value, dict):
            self.fail("should be an object")
        return self.value


def params_from(mapping: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Canonical parameters: sorted by name, whole floats as integers, structures as JSON text."""
    return tuple(sorted((str(name), _plain(value)) for name, value in mapping.items()))


def _plain(value: Any) -> str | int | float | bool:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str | int | float | bool):
        return value
    return json.dumps(value, sort_keys=True)


def number_or_text(text: str) -> str | int | float:
    """What a cell or an argument says: 512, 0.5 or a word."""
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return text


class _Object(dict[str, Any]):
    position = 0


class _List(list[Any]):
    position = 0


class _Positions(json.JSONDecoder):
    """A decoder whose objects and lists know at which character they begin."""

    def __init__(self) -> None:
        super().__init__(parse_constant=str)

        def located(parse: Any, kind: Any) -> Any:
            def parse_located(start: Any, *rest: Any) -> Any:
                value, end = parse(start, *rest)
                value = kind(value)
                value.position = start[1] - 1
                return value, end

            return parse_located

        self.parse_object = located(JSONObject, _Object)
        self.parse_array = located(JSONArray, _List)
        self.scan_once = py_make_scanner(self)
