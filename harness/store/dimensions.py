"""The facts that repeat: found or added by key when a record is written, read back by id.

One entry of DIMENSIONS is one table. Their order is that of their references, so a row can be built
from the ids resolved before it. Rows of dimensions are never changed, and deleted by nobody but a
vacuum, so a process may remember an id for as long as it has the store open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Connection, Table, select

from harness.errors import StoreError
from harness.model import Device, Kernel, Record, Timing
from harness.model.identity import digest
from harness.store import schema
from harness.store.engine import insert_new
from harness.store.rows import Row, checked_for, json_text

Ids = dict[str, int | None]

LOOKUP = 500
"""Keys or ids asked for in one query."""


@dataclass(frozen=True)
class Dimension:
    """How a record speaks of one table."""

    table: Table
    """The table; a record's row refers to it in the column ``<table>_id``."""
    key: Callable[[Record], str | None]
    """The key of what a record says; None where it says nothing (no device, no environment …)."""
    row: Callable[[Record, Mapping[str, Any]], Row]
    """The row without its key, given the ids of the tables before."""


def _known(noun: Any) -> Any:
    """For a noun that is there whenever its key is."""
    assert noun is not None
    return noun


@lru_cache(maxsize=4096)
def _file_facts(kernel: Kernel) -> tuple[str, Row]:
    row = {
        "file": kernel.file,
        "packages": json_text(kernel.packages, "packages"),
        "library": kernel.library,
        "extra": kernel.extra,
        "folder": kernel.folder,
    }
    return digest(row), row


@lru_cache(maxsize=4096)
def _hardware_facts(device: Device) -> tuple[str, Row]:
    row = device.to_dict()
    del row["uuid"], row["host"]
    return digest(row), row


@lru_cache(maxsize=4096)
def _device_key(device: Device) -> str:
    return digest(device.to_dict())


@lru_cache(maxsize=4096)
def _timing_key(timing: Timing) -> str:
    return digest(timing.to_dict())


def _problem_row(r: Record, _: Mapping[str, Any]) -> Row:
    return r.problem.to_dict() | {"params": json_text(dict(r.problem.params), "params")}


def _environment_row(r: Record, _: Mapping[str, Any]) -> Row:
    row: Row = _known(r.environment).to_dict()
    return row | {"libraries": json_text(row["libraries"], "libraries")}


DIMENSIONS = (
    Dimension(
        schema.kernel,
        lambda r: r.kernel.id,
        lambda r, _: {
            "operator": r.kernel.operator,
            "name": r.kernel.name,
            "options": json_text(dict(r.kernel.options), "options"),
        },
    ),
    Dimension(schema.problem, lambda r: r.problem.key, _problem_row),
    Dimension(
        schema.job,
        lambda r: r.job_key,
        lambda r, ids: {
            "kernel_id": ids["kernel_id"],
            "problem_id": ids["problem_id"],
            "gpu": r.gpu,
            "mode": r.timing.mode,
        },
    ),
    Dimension(
        schema.series,
        lambda r: r.series_key,
        lambda r, ids: {
            "kernel_id": ids["kernel_id"],
            "problem_id": ids["problem_id"],
            "device_model": _known(r.device).model,
            "mode": r.timing.mode,
        },
    ),
    Dimension(
        schema.kernel_file,
        lambda r: _file_facts(r.kernel)[0],
        lambda r, _: _file_facts(r.kernel)[1],
    ),
    Dimension(
        schema.timing,
        lambda r: _timing_key(r.timing),
        lambda r, _: {
            "mode": r.timing.mode,
            "settings": json_text(r.timing.to_dict(), "timing"),
        },
    ),
    Dimension(
        schema.hardware,
        lambda r: _hardware_facts(r.device)[0] if r.device else None,
        lambda r, _: _hardware_facts(_known(r.device))[1],
    ),
    Dimension(
        schema.device,
        lambda r: _device_key(r.device) if r.device else None,
        lambda r, ids: {
            "uuid": _known(r.device).uuid,
            "host": _known(r.device).host,
            "hardware_id": ids["hardware_id"],
        },
    ),
    Dimension(
        schema.environment,
        lambda r: r.environment.key if r.environment else None,
        _environment_row,
    ),
    Dimension(
        schema.revision,
        lambda r: r.revision.key if r.revision else None,
        lambda r, _: _known(r.revision).to_dict(),
    ),
)

_NOT_IN_RESULT = {"kernel_id", "problem_id", "hardware_id"}  # they hang on job and device


class KnownIds:
    """Ids of dimension rows by key, remembered, so that most records need no look-up at all."""

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, int]] = {d.table.name: {} for d in DIMENSIONS}

    def forget(self) -> None:
        """After a rollback: ids handed out in that transaction name no row."""
        for known in self._ids.values():
            known.clear()

    def resolve(self, connection: Connection, records: Sequence[Record]) -> list[Ids]:
        """The foreign keys of each record's row (all but ``sweep_id``), adding what is new."""
        everyone: list[Ids] = [{} for _ in records]
        for dimension in DIMENSIONS:
            name = dimension.table.name
            known = self._ids[name]
            keys = [_key(dimension, record) for record in records]
            new: dict[str, Row] = {}
            for key, record, ids in zip(keys, records, everyone, strict=True):
                if key is not None and key not in known and key not in new:
                    row = dimension.row(record, ids) | {"key": key}
                    new[key] = checked_for(dimension.table, row)
            if new:
                # Sorted: two writers that add the same rows in one order can't lock each other out.
                rows = [new[key] for key in sorted(new)]
                connection.execute(insert_new(connection, dimension.table), rows)
                known.update(ids_by_key(connection, dimension.table, new))
            for key, ids in zip(keys, everyone, strict=True):
                ids[f"{name}_id"] = None if key is None else known[key]
        return [
            {name: i for name, i in ids.items() if name not in _NOT_IN_RESULT} for ids in everyone
        ]


def _key(dimension: Dimension, record: Record) -> str | None:
    try:
        return dimension.key(record)
    except (TypeError, ValueError) as error:  # NaN in params or options: no canonical JSON
        raise StoreError(
            f"the {dimension.table.name} of {record.kernel.name} on {record.problem.summary()} "
            f"has no identity: {error}"
        ) from error


def ids_by_key(connection: Connection, table: Table, keys: Iterable[str]) -> dict[str, int]:
    """Ids of the rows of ``table`` that have one of ``keys``."""
    wanted, found = list(keys), {}
    for start in range(0, len(wanted), LOOKUP):
        some = wanted[start : start + LOOKUP]
        for key, id_ in connection.execute(
            select(table.c.key, table.c.id).where(table.c.key.in_(some))
        ):
            found[key] = id_
    return found


def keys_by_id(connection: Connection, table: Table, ids: Iterable[int]) -> dict[int, str]:
    """Inverse of ``ids_by_key``."""
    pages = _pages(connection, table, (table.c.id, table.c.key), ids)
    return {id_: key for page in pages for id_, key in page}


def rows_by_id(connection: Connection, table: Table, ids: Iterable[int | None]) -> dict[int, Row]:
    """Rows of ``table`` by id; None is left out."""
    names = [column.name for column in table.columns]
    at = names.index("id")
    pages = _pages(connection, table, table.columns, ids)
    return {row[at]: dict(zip(names, row, strict=True)) for page in pages for row in page}


def _pages(
    connection: Connection, table: Table, columns: Iterable[Column[Any]], ids: Iterable[int | None]
) -> Iterator[Sequence[Any]]:
    wanted, query = sorted({i for i in ids if i is not None}), select(*columns)
    for start in range(0, len(wanted), LOOKUP):
        some = wanted[start : start + LOOKUP]
        yield connection.execute(query.where(table.c.id.in_(some))).all()
