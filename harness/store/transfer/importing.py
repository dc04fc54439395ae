"""Files that ``export_store`` wrote into a store: each thing once, however often they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.errors import ImportFailed, RecordConflict, StoreError
from harness.store.audit import note
from harness.store.carrying import ANNOTATIONS, put_annotation, put_sweep
from harness.store.store import Store
from harness.store.transfer.columns import columns_counts, is_columns, read_columns
from harness.store.transfer.lines import is_lines, lines_counts, read_lines
from harness.store.transfer.parts import Counts, Thing, plain

BATCH = 1000
"""Things of one transaction, so that another writer gets its turn."""

Progress = Callable[[int, int], None]


def is_export(path: Path) -> bool:
    """Whether ``path`` is what an export wrote, in any version of the format."""
    return is_columns(path) if path.is_dir() else path.is_file() and is_lines(path)


def import_export(path: Path, target: Store, progress: Progress | None = None) -> Counts:
    """Bring an export into a store; what of it was new. ``progress(done, total)`` counts records.

    Raises:
        ImportFailed: it is no export, cut short, of a newer format, or a line can't be read; then
            what came before that line is stored, and the import can be run again.
        RecordConflict: a sweep or result of one identity is there with other content.
        StoreError: the store can't be written.
    """
    lines = not path.is_dir()
    said = (lines_counts if lines else columns_counts)(path)
    came: dict[str, int] = {}
    new: dict[str, int] = {}
    for kind, batch in _batches((read_lines if lines else read_columns)(path)):
        came[kind] = came.get(kind, 0) + len(batch)
        new[kind] = new.get(kind, 0) + _put(target, path, kind, batch)
        if progress and kind == "record":
            progress(came[kind], said.records)
    if Counts.of(came) != said:
        raise ImportFailed(f"{path} holds {Counts.of(came)}, and says that it holds {said}")
    counts = Counts.of(new)
    if counts != Counts():
        with target.writing() as connection:
            note(connection, "import", f"the export {path.name}", **asdict(counts))
    return counts


def _batches(
    things: Iterator[tuple[str, str, Thing]],
) -> Iterator[tuple[str, list[tuple[str, Thing]]]]:
    for kind, group in groupby(things, key=lambda thing: thing[1]):
        batch: list[tuple[str, Thing]] = []
        for where, _, thing in group:
            batch.append((where, thing))
            if len(batch) == BATCH:
                yield kind, batch
                batch = []
        if batch:
            yield kind, batch


def _put(target: Store, path: Path, kind: str, batch: list[tuple[str, Thing]]) -> int:
    things: list[Any] = [thing for _, thing in batch]
    if kind == "record":
        return target.append_many(things)
    if kind == "external":
        return target.append_externals(things)
    if kind != "sweep" and kind not in ANNOTATIONS:
        raise ImportFailed(f"{path}, {batch[0][0]}: a {kind!r} is nothing that an export holds")
    new = 0
    with target.writing() as connection:
        for where, thing in batch:
            try:
                if kind == "sweep":
                    new += put_sweep(connection, plain(thing), target.safe_url)
                else:
                    new += put_annotation(connection, kind, plain(thing))
            except RecordConflict:
                raise
            except (StoreError, KeyError, TypeError, ValueError) as error:
                raise ImportFailed(f"{path}, {where}, can't be put as {kind}: {error}") from error
    return new
