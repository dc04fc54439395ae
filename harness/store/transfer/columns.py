"""An export as Parquet: a folder with a file a noun, for pandas, DuckDB, Spark and the like."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.errors import ImportFailed
from harness.model import External, Record
from harness.model.identity import canonical_json, noun_text
from harness.store.sweeps import StoredSweep
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

MANIFEST = "manifest.json"
ANNOTATIONS = "annotations"
NOUNS: dict[str, tuple[str, type[Any]]] = {
    "sweep": ("sweeps", StoredSweep),
    "record": ("records", Record),
    "external": ("externals", External),
}
"""File and class of the kinds that have a column a field."""

ROWS = 5000
"""Rows of one group, so that a reader need not hold a file whole."""

_TYPES = {
    "str": "string",
    "Status": "string",
    "int": "int64",
    "int | None": "int64",
    "float": "float64",
    "float | None": "float64",
    "bool | None": "bool",
    "tuple[float, ...]": "floats",
}
"""Column types by a field's annotation; every other field is JSON text."""

_SHARED = ("kernel", "problem", "timing", "device", "environment", "revision")


class ColumnsSink:
    """Writes the folder. A group of rows is held until it is full."""

    def __init__(self, path: Path, sweeps: Sequence[str] | None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path.mkdir()
        self._path, self._pa = path, pa
        self._header = header(sweeps)
        names = [name for name, _ in NOUNS.values()] + [ANNOTATIONS]
        self._schemas = {name: _schema(name) for name in names}
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        self._files = {
            name: pq.ParquetWriter(path / f"{name}.parquet", schema, compression="zstd")
            for name, schema in self._schemas.items()
        }

    def put(self, kind: str, thing: Thing) -> None:
        """A row for ``thing``."""
        name = NOUNS[kind][0] if kind in NOUNS else ANNOTATIONS
        rows = self._rows[name]
        if kind in NOUNS:
            rows.append(_row(NOUNS[kind][1], thing))
        else:
            rows.append({"kind": kind, "facts": canonical_json(thing)})
        if len(rows) == ROWS:
            self._write(name)

    def end(self, counts: Counts) -> None:
        """The rows that are left, and the manifest, without which the folder is no export."""
        for name in self._files:
            self._write(name)
        self.close()
        said = {HEADER: self._header, "end": asdict(counts)}
        (self._path / MANIFEST).write_text(json.dumps(said, indent=1) + "\n")

    def close(self) -> None:
        """Close every file."""
        for file in self._files.values():
            file.close()

    def _write(self, name: str) -> None:
        rows, schema = self._rows[name], self._schemas[name]
        columns = {column: [row.get(column) for row in rows] for column in schema.names}
        self._files[name].write_table(self._pa.table(columns, schema=schema))
        rows.clear()


def is_columns(path: Path) -> bool:
    """Whether a folder is such an export."""
    return (path / MANIFEST).is_file()


def columns_counts(path: Path) -> Counts:
    """What the folder holds, by its manifest. Raises ImportFailed where that can't be read."""
    try:
        said = json.loads((path / MANIFEST).read_text())
    except FileNotFoundError:
        raise ImportFailed(f"{path} is no export of attnbench: it has no {MANIFEST}") from None
    except (ValueError, OSError) as error:
        raise ImportFailed(f"{path / MANIFEST} can't be read: {error}") from error
    said = said if isinstance(said, dict) else {}
    check_header(said.get(HEADER), path)
    return counts_of(said.get("end"), path)


def read_columns(path: Path) -> Iterator[tuple[str, str, Thing]]:
    """(where, kind, thing) of every row, in the order of the format.

    Raises ImportFailed, naming file and row, where one can't be read.
    """
    for kind, (name, _) in NOUNS.items():
        for where, row in _rows(path, name):
            try:
                yield where, kind, _thing(kind, row)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ImportFailed(f"{path}, {where} can't be read: {error}") from error
    for where, row in _rows(path, ANNOTATIONS):
        try:
            yield where, row["kind"], json.loads(row["facts"])
        except (ValueError, TypeError, KeyError) as error:
            raise ImportFailed(f"{path}, {where} can't be read: {error}") from error


def _rows(path: Path, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file, number = path / f"{name}.parquet", 0
    try:
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(batch_size=ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{file.name}, row {number}", row
    except FileNotFoundError:
        raise ImportFailed(f"{path} is not complete: {file.name} is missing") from None
    except (pa.ArrowException, OSError) as error:
        text = str(error).splitlines()[0]
        raise ImportFailed(f"{file} can't be read after row {number}: {text}") from error


def _columns(noun: type[Any]) -> dict[str, str]:
    """The type of each field's column: one of _TYPES' values, or json."""
    return {f.name: _TYPES.get(str(f.type), "json") for f in noun.__dataclass_fields__.values()}


def _schema(name: str) -> Any:
    import pyarrow as pa

    known = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
    known |= {"bool": pa.bool_(), "floats": pa.list_(pa.float64()), "json": pa.string()}
    nouns = dict(NOUNS.values())
    columns = _columns(nouns[name]) if name in nouns else {"kind": "string", "facts": "json"}
    return pa.schema([(column, known[kind]) for column, kind in columns.items()])


def _row(noun: type[Any], thing: Thing) -> dict[str, Any]:
    row: dict[str, Any] = {}
    facts = _facts(thing)
    for name, kind in _columns(noun).items():
        value = facts.get(name)
        if kind != "json" or value is None:
            row[name] = value
        elif name in _SHARED:
            row[name] = noun_text(value)
        else:
            row[name] = canonical_json(value)
    return row


def _facts(thing: Thing) -> dict[str, Any]:
    """``plain``, with a record's shared nouns as they are: each keeps its own text."""
    if not isinstance(thing, Record):
        return plain(thing)
    facts = dict(vars(thing))
    for name in ("accuracy", "memory", "summary"):
        facts[name] = None if facts[name] is None else dict(vars(facts[name]))
    return facts | {"status": str(thing.status), "conditions": dict(thing.conditions)}


def _thing(kind: str, row: dict[str, Any]) -> Thing:
    columns = _columns(NOUNS[kind][1])
    facts = {}
    for name, value in row.items():
        is_json = columns.get(name) == "json" and value is not None
        facts[name] = _parsed(value) if is_json else value
    if facts.get("summary", 0) is None:
        del facts["summary"]
    return thing_of(kind, facts)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Any:
    return json.loads(text)
