"""A store into files: all of it, or some sweeps."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import select

from harness.errors import StoreError
from harness.store.carrying import Item, annotation_items
from harness.store.reading import load, sweep_number
from harness.store.schema import result, series
from harness.store.store import Store
from harness.store.transfer.columns import ColumnsSink
from harness.store.transfer.lines import LinesSink
from harness.store.transfer.parts import Counts, Sink

FORMATS: dict[str, Callable[[Path, Sequence[str] | None], Sink]] = {
    "jsonl": LinesSink,
    "parquet": ColumnsSink,
}

PAGE = 500

Progress = Callable[[int, int], None]


def format_of(path: Path) -> str:
    """The format that a name asks for: JSON Lines for ``*.jsonl``, else a Parquet folder."""
    return "jsonl" if path.suffix == ".jsonl" else "parquet"


def export_store(
    store: Store,
    target: Path,
    format: str = "",
    sweeps: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Write a store, or the named sweeps of it, to ``target``; ``progress`` counts records.

    ``format`` is one of FORMATS (default: ``format_of``). Others may be writing meanwhile: what was
    there at the start is exported. The target gets its name when it is whole.

    Raises:
        StoreError: no such format or sweep, ``target`` is there already or can't be written.
    """
    kind = format or format_of(target)
    if kind not in FORMATS:
        raise StoreError(f"no export format {kind!r}, only {' and '.join(FORMATS)}")
    if os.path.lexists(target):
        raise StoreError(f"{target} is there already: an export goes to a new name")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    export = _Export(store, sweeps)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(FORMATS[kind](draft, sweeps)) as sink:
            counts = export.into(sink, progress or (lambda done, total: None))
            sink.end(counts)
        os.rename(draft, target)
    except OSError as error:
        raise StoreError(
            f"no export can be written to {target}: {error.strerror or error}"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(draft) if draft.is_dir() else draft.unlink()
    return counts


class _Export:
    def __init__(self, store: Store, sweeps: Sequence[str] | None) -> None:
        self._store = store
        self._only = None if sweeps is None else set(sweeps)
        # In this order: an annotation's result and a result's sweep are always among what follows.
        with store.reading() as connection:
            self._annotations = list(annotation_items(connection))
        wanted = select(result.c.id).order_by(result.c.id)
        with store.reading() as connection:
            if sweeps is not None:
                numbers = [sweep_number(connection, sweep_id) for sweep_id in sweeps]
                wanted = wanted.where(result.c.sweep_id.in_(numbers))
                mine = select(result.c.series_id).where(result.c.sweep_id.in_(numbers)).distinct()
                keys = connection.scalars(select(series.c.key).where(series.c.id.in_(mine)))
                self._series = set(keys)
            self._ids = connection.scalars(wanted).all()
        self._sweeps = [s for s in store.sweeps() if self._only is None or s.id in self._only]

    def into(self, sink: Sink, progress: Progress) -> Counts:
        kinds: Counter[str] = Counter(sweep=len(self._sweeps))
        for sweep in self._sweeps:
            sink.put("sweep", sweep)
        for start in range(0, len(self._ids), PAGE):
            with self._store.reading() as connection:
                page = load(connection, self._ids[start : start + PAGE])
            for record in page:
                sink.put("record", record)
            kinds["record"] += len(page)
            progress(min(start + PAGE, len(self._ids)), len(self._ids))
        if self._only is None:
            for external in self._store.externals():
                sink.put("external", external)
                kinds["external"] += 1
        for kind, facts in filter(self._wanted, self._annotations):
            sink.put(kind, facts)
            kinds[kind] += 1
        return Counts.of(kinds)

    def _wanted(self, item: Item) -> bool:
        kind, facts = item
        if self._only is None:
            return True
        if kind == "baseline":
            return facts["series"] in self._series
        return facts.get("sweep") in self._only
