"""Record ↔ row of ``result``: exact both ways, samples to the last bit.

What can't be stored exactly on every engine is refused here, before anything is written: NUL and
lone surrogates in text (Postgres has no NUL), NaN and infinities, whole numbers beyond 64 bits.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Table, Text, UniqueConstraint

from harness.errors import StoreError
from harness.model import (
    Accuracy,
    Device,
    Environment,
    Kernel,
    Memory,
    Problem,
    Record,
    Revision,
    Status,
    Summary,
    Timing,
)
from harness.model.identity import canonical_json
from harness.model.problem import params_of

Row = dict[str, Any]

LONGEST_NAME = 2000
"""UTF-8 bytes of a text that is looked up by: a Postgres index takes 2,704 with its overhead."""

_LARGEST = 2**63 - 1

# Fields of a Record that are columns of `result` under the same name and with the same value.
_PLAIN = (
    "launch",
    "attempt",
    "workload",
    "experiment",
    "started_at",
    "duration_s",
    "calls_per_sample",
    "stop_reason",
    "setup_ms",
    "first_call_ms",
    "warmup_calls",
    "flops",
    "min_bytes",
    "cost_model",
    "reason",
    "log",
)
_ACCURACY = tuple(Accuracy.__dataclass_fields__)


def json_text(value: Any, what: str) -> str:
    """Canonical JSON. Raises StoreError where ``value`` holds NaN, an infinity or an object."""
    try:
        return canonical_json(value)
    except (TypeError, ValueError) as error:
        raise StoreError(f"{what} can't be stored: {error}") from error


def checked(row: Row) -> Row:
    """``row`` itself. Raises StoreError where a value can't be stored exactly on every engine."""
    for name, value in row.items():
        kind = type(value)  # most values are plain; a sweep's skips are 10 million of them
        if kind is str and value.isascii() and "\0" not in value:
            continue
        if (kind is int and -_LARGEST <= value <= _LARGEST) or (
            kind is float and math.isfinite(value)
        ):
            continue
        if value is not None and kind is not bool:
            _check(name, value)
    return row


def checked_for(table: Table, row: Row) -> Row:
    """``checked``, and no text too long for an index of ``table``: Postgres has a limit there.

    Raises:
        StoreError: a value that can't be stored exactly on every engine, or be looked up.
    """
    for name in _indexed_texts(table):
        value = row.get(name)
        if isinstance(value, str) and len(value) > LONGEST_NAME // 4:
            size = len(value.encode(errors="replace"))
            if size > LONGEST_NAME:
                raise StoreError(
                    f"{table.name}.{name} ({value[:30]!r} …) is {size:,} bytes long, "
                    f"{LONGEST_NAME:,} at most: shorten it"
                )
    return checked(row)


@cache
def _indexed_texts(table: Table) -> tuple[str, ...]:
    columns = {c for index in table.indexes for c in index.columns}
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            columns |= set(constraint.columns)
    return tuple(sorted(c.name for c in columns if isinstance(c.type, Text)))


def _check(name: str, value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise StoreError(f"{name} holds a NUL character, which no store can keep")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise StoreError(f"{name} isn't valid Unicode: {error}") from error
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise StoreError(f"{name} is {value}, which a record can't carry")
    elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        raise StoreError(f"{name}={value} is beyond 64 bits")


def result_row(record: Record, ids: Mapping[str, int | None]) -> Row:
    """The row of ``record``; ``ids`` are its foreign keys by column name."""
    low, high = record.interval_ms or (None, None)
    row: Row = {name: getattr(record, name) for name in _PLAIN}
    row.update(ids)
    row.update(
        status=str(record.status),
        sample_count=record.sample_count,
        median_ms=record.median_ms,
        low_ms=low,
        high_ms=high,
        peak_bytes=record.memory.peak_bytes if record.memory else None,
        memory_source=record.memory.source if record.memory else None,
        flags=json_text(record.flags, "flags"),
        conditions=json_text(dict(record.conditions), "conditions"),
        content_key=content_key(record),
    )
    for name in _ACCURACY:
        row[name] = getattr(record.accuracy, name) if record.accuracy else None
    return checked(row)


def content_key(record: Record) -> str:
    """``record.content_key``. Raises StoreError where it says something that JSON can't."""
    try:
        return record.content_key
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the record of {record.kernel.name} on {record.problem.summary()} can't be stored: "
            f"{error}"
        ) from error


def pack_samples(samples_ms: tuple[float, ...]) -> bytes:
    """Little-endian float64, 8 bytes a sample."""
    return struct.pack(f"<{len(samples_ms)}d", *samples_ms)


def unpack_samples(blob: bytes | None) -> tuple[float, ...]:
    """Inverse of ``pack_samples``; None is no samples."""
    return struct.unpack(f"<{len(blob) // 8}d", blob) if blob else ()


def record_of(
    row: Row, sweep_id: str, gpu: str, nouns: Mapping[str, Any], blob: bytes | None
) -> Record:
    """The Record of a ``result`` row; ``nouns`` are its parts by Record field."""
    accuracy = memory = summary = None
    if row["sample_count"] and blob is None:
        summary = Summary(**{name: row[name] for name in Summary.__dataclass_fields__})
    if row["gate"] is not None:
        accuracy = Accuracy(**{name: row[name] for name in _ACCURACY})
    if row["memory_source"] is not None:
        memory = Memory(row["peak_bytes"], row["memory_source"])
    return Record(
        sweep_id=sweep_id,
        gpu=gpu,
        status=Status(row["status"]),
        samples_ms=unpack_samples(blob),
        accuracy=accuracy,
        memory=memory,
        summary=summary,
        flags=tuple(json.loads(row["flags"])),
        conditions=tuple(sorted(json.loads(row["conditions"]).items())),
        **nouns,
        **{name: row[name] for name in _PLAIN},
    )


def kernel_of(row: Row, file: Row) -> Kernel:
    """The kernel of a ``kernel`` row and the ``kernel_file`` row that says where it was found."""
    return Kernel(
        name=row["name"],
        operator=row["operator"],
        file=file["file"],
        options=params_of(json.loads(row["options"])),
        packages=tuple(json.loads(file["packages"])),
        library=file["library"],
        extra=file["extra"],
        folder=file["folder"],
    )


def problem_of(row: Row) -> Problem:
    """The problem of a ``problem`` row."""
    return Problem.from_dict(
        {name: row[name] for name in Problem.__dataclass_fields__}
        | {"params": json.loads(row["params"])}
    )


def timing_of(row: Row) -> Timing:
    """The protocol of a ``timing`` row."""
    return Timing.from_dict(json.loads(row["settings"]))


def device_of(row: Row, hardware: Row) -> Device:
    """The board of a ``device`` row and its ``hardware`` row."""
    facts = {name: hardware[name] for name in hardware if name not in ("id", "key")}
    return Device(uuid=row["uuid"], host=row["host"], **facts)


def environment_of(row: Row) -> Environment:
    """The software of an ``environment`` row."""
    versions = {name: row[name] for name in row if name not in ("id", "key")}
    return Environment.from_dict(versions | {"libraries": json.loads(row["libraries"])})


def revision_of(row: Row) -> Revision:
    """The kernel's version of a ``revision`` row."""
    return Revision(**{name: row[name] for name in row if name not in ("id", "key")})
