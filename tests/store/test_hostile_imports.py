"""Any text in another tool's file may be hostile: it is refused in a line, or comes back equal."""

from __future__ import annotations

import copy
import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import AttnbenchError
from harness.importers import read_file
from harness.store import Store
from tests.importers.test_formats import EXAMPLES, FILES, GIVEN

HOSTILE = [
    "'; DROP TABLE external_result; -- \" \u202eשלום\u202c <script>alert(1)</script>&amp; %s {0}\n",
    "a\0b",
    "\ud800",
    "long " * 100_000,
    "",
]
PLACES = 10
"""Texts of a file that are replaced, each on its own."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the texts of a JSON value stand."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in pairs:
            yield from places(inner, (*path, name))


def replaced(value: Any, path: tuple[Any, ...], text: str) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = text
    return changed


def variants(file: Path, hostile: str) -> Iterator[str]:
    """The file with one of its texts, or of its first cells, replaced."""
    text = file.read_text()
    if file.suffix == ".csv":
        delimiter = ";" if ";" in text.splitlines()[0] else ","
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
        cells = [(i, j) for i in (1, 0) for j in range(len(rows[i]))][:PLACES]
        for cell in cells:
            out = io.StringIO()
            csv.writer(out, delimiter=delimiter).writerows(replaced(rows, cell, hostile))
            yield out.getvalue()
        return
    first, rest = (text, "") if file.suffix == ".json" else text.split("\n", 1)
    facts = json.loads(first)
    for path in list(places(facts))[-PLACES:]:
        yield f"{json.dumps(replaced(facts, path, hostile))}\n{rest}"


@pytest.mark.parametrize("format", EXAMPLES)
def test_hostile_text_in_another_tools_file(store: Store, tmp_path: Path, format: str) -> None:
    shutil.copytree(FILES, tmp_path / "files")
    path = tmp_path / "files" / EXAMPLES[format]
    accepted: dict[str, str] = {}
    refused: list[str] = []
    for hostile in HOSTILE:
        for text in variants(FILES / EXAMPLES[format], hostile):
            path.write_bytes(text.encode(errors="surrogatepass"))
            try:
                found = read_file(path, format, GIVEN)
                store.append_externals(found)
            except AttnbenchError as error:
                refused.append(str(error))
            else:
                accepted |= {result.key: result.content_key for result in found}
    assert {result.key: result.content_key for result in store.externals()} == accepted
    assert accepted
    assert refused
    assert [line for line in refused if "\n" in line or len(line) > 1000] == []
