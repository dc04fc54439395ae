"""One store into another, row by row: any engine into any, each result once.

Facts that repeat are put first, by key; then the results (harness.store.bulk), which refer to them;
then what people said of results. A merge works in transactions of a few thousand rows, so one that
was interrupted is simply run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Table, func, insert, select

from harness.errors import RecordConflict, StoreError
from harness.store import schema
from harness.store.audit import note
from harness.store.bulk import BATCH, Progress, Results, write_twice
from harness.store.carrying import annotation_items, put_annotation, put_sweep, sweep_items
from harness.store.dimensions import DIMENSIONS, ids_by_key
from harness.store.engine import database_id, insert_new
from harness.store.rows import Row
from harness.store.store import Store

FACTS: tuple[Table, ...] = (*(d.table for d in DIMENSIONS), schema.external_series)
"""Tables whose rows are put by key before what refers to them; in the order of their references."""


@dataclass(frozen=True)
class Merged:
    """What a merge did."""

    results: int
    """Results that were new."""
    known: int
    """Results that were there already."""
    sweeps: int
    """Sweeps that were new."""
    externals: int
    """Results of other tools that were new."""
    annotations: int
    """Tags, exclusions, baselines, triage and log entries that were new."""


def merge(source: Store, target: Store, progress: Progress | None = None) -> Merged:
    """Bring everything of ``source`` into ``target``; ``progress(done, total)`` counts results.

    Where results are known their samples stay as they are in ``target``, pruned or not. What was
    deleted in one store comes back from another one that has it still.

    Raises:
        RecordConflict: both have a sweep or a result of one identity with different content; what
            was put before stays.
        StoreError: both are one store, or one of them can't be read or written.
    """
    if _same(source, target):
        raise StoreError(f"{source.safe_url} can't be merged into itself")
    return _Merge(source, target, progress or (lambda done, total: None)).run()


class _Merge:
    def __init__(self, source: Store, target: Store, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._ids: dict[str, dict[int, int]] = {}

    def run(self) -> Merged:
        # Fixed first: what a running sweep adds meanwhile refers to facts that came too late.
        last = self._last(schema.result)
        last_external = self._last(schema.external_result)
        sweeps = self._sweeps()
        for table in FACTS:
            self._facts(table)
        results = Results(self._source, self._target, self._ids)
        new, known = results.copy(last, self._progress)
        externals = self._externals(last_external)
        annotations = self._annotations()
        merged = Merged(new, known, sweeps, externals, annotations)
        if sweeps or new or externals or annotations:
            with self._target.writing() as connection:
                what = f"from {self._source.safe_url}"
                note(connection, "merge", what, results=new, sweeps=sweeps, externals=externals)
        return merged

    def _last(self, table: Table) -> int:
        with self._source.reading() as connection:
            return int(connection.scalar(select(func.max(table.c.id))) or 0)

    def _sweeps(self) -> int:
        with self._source.reading() as connection:
            items = [facts for _, facts in sweep_items(connection)]
        new = 0
        with self._target.writing() as connection:
            for facts in items:
                new += put_sweep(connection, facts, self._target.safe_url)
            there = ids_by_key(connection, schema.sweep, [facts["id"] for facts in items])
        with self._source.reading() as connection:
            here = ids_by_key(connection, schema.sweep, there)
        self._ids["sweep"] = {here[key]: there[key] for key in there}
        return new

    def _page(self, table: Table, after: int, last: int | None = None) -> list[Row]:
        query = select(table).where(table.c.id > after).order_by(table.c.id).limit(BATCH)
        if last is not None:
            query = query.where(table.c.id <= last)
        with self._source.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _facts(self, table: Table) -> None:
        known = self._ids.setdefault(table.name, {})
        after = 0
        while page := self._page(table, after):
            after = page[-1]["id"]
            old = {row["key"]: row.pop("id") for row in page}
            for row in page:
                self._translate(table, row)
            with self._target.writing() as connection:
                # Sorted: two writers of the same rows in one order can't lock each other out.
                connection.execute(
                    insert_new(connection, table), sorted(page, key=lambda row: str(row["key"]))
                )
                there = ids_by_key(connection, table, old)
            known.update({id_: there[key] for key, id_ in old.items()})

    def _translate(self, table: Table, row: Row) -> None:
        """Put the target's ids in the place of the source's."""
        for reference in table.foreign_keys:
            name = reference.parent.name
            if row[name] is not None:
                row[name] = self._ids[reference.column.table.name][row[name]]

    def _externals(self, last: int) -> int:
        table, new, after = schema.external_result, 0, 0
        while page := self._page(table, after, last):
            after = page[-1]["id"]
            for row in page:
                del row["id"]
                self._translate(table, row)
            new += write_twice(self._target, partial(self._put_externals, page=page))
        return new

    def _put_externals(self, connection: Connection, page: Sequence[Row]) -> int:
        table = schema.external_result
        keys = [row["key"] for row in page]
        columns = table.c.key, table.c.content_key, table.c.origin
        query = select(*columns).where(table.c.key.in_(keys))
        stored = {row[0]: (row[1], row[2]) for row in connection.execute(query)}
        new = []
        for row in page:
            key, origin = stored.get(row["key"], (None, ""))
            if key is None:
                new.append(row)
            elif key != row["content_key"]:
                raise RecordConflict(
                    f"{self._target.safe_url}: two different external results {row['key']}: {key} "
                    f"from {origin} is there, {row['content_key']} came from {row['origin']}"
                )
        if new:
            connection.execute(insert(table), new)
        return len(new)

    def _annotations(self) -> int:
        with self._source.reading() as connection:
            items = list(annotation_items(connection))
        new = 0
        for start in range(0, len(items), BATCH):
            with self._target.writing() as connection:
                for kind, facts in items[start : start + BATCH]:
                    new += put_annotation(connection, kind, facts)
        return new


def _same(one: Store, other: Store) -> bool:
    """Whether both are one database, whatever their URLs look like."""
    places = []
    for store in (one, other):
        with store.reading() as connection:
            places.append(database_id(connection, store.url))
    return places[0] == places[1]
