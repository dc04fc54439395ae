"""Many results from one store into another, as the tuples that the drivers speak.

No record is built on the way, and no row taken apart: what a result says is carried over as it is
stored, and only its ids change. What is stored already is told by its content key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import getitem, itemgetter
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from harness.errors import StoreError
from harness.store.engine import insert_plain, load_ahead, new_ids
from harness.store.reading import load
from harness.store.schema import result, sample
from harness.store.store import Store
from harness.store.writing import Writer, stored_identities

BATCH = 10_000
"""Rows of one transaction, so that another writer gets its turn."""

Progress = Callable[[int, int], None]

_REFERENCES = [column for column in result.columns if column.foreign_keys]
_SAID = [c for c in result.columns if not c.foreign_keys and c is not result.c.id]
_COLUMNS = [result.c.id, *_REFERENCES, *_SAID]
_PAGE = select(*_COLUMNS, sample.c.times_ms).join_from(result, sample, isouter=True)

_AT = {column.name: position for position, column in enumerate(_COLUMNS)}
_FIRST_SAID = 1 + len(_REFERENCES)
_identity = itemgetter(*(_AT[name] for name in ("sweep_id", "job_id", "launch", "attempt")))
_content_key = itemgetter(_AT["content_key"])


class Results:
    """The results of ``source`` for ``target``; ``ids`` are the target's by table and by source's.

    Raises, from ``copy``, RecordConflict where both have a result of one identity that says
    something else, and StoreError where one of them can't be read or written.
    """

    def __init__(self, source: Store, target: Store, ids: Mapping[str, dict[int, int]]) -> None:
        self._source = source
        self._target = target
        maps = [ids[next(iter(c.foreign_keys)).column.table.name] for c in _REFERENCES]
        self._maps: list[dict[Any, int | None]] = [{None: None, **known} for known in maps]

    def copy(self, last: int, progress: Progress) -> tuple[int, int]:
        """Bring over what has an id up to ``last``: how many were new, and how many known."""
        with self._source.reading() as connection:
            total = int(connection.scalar(select(func.count()).select_from(result)) or 0)
        new = known = after = 0
        while page := self._page(after, last):
            after = page[-1][0]
            added = write_twice(self._target, partial(self._put, page=page))
            new, known = new + added, known + len(page) - added
            progress(new + known, max(total, new + known))
        return new, known

    def _page(self, after: int, last: int) -> list[Any]:
        query = _PAGE.where(result.c.id > after, result.c.id <= last)
        with self._source.reading() as connection:
            return list(connection.execute(query.order_by(result.c.id).limit(BATCH)).all())

    def _put(self, connection: Connection, page: list[Any]) -> int:
        load_ahead(connection)
        moved = [
            (row[0], *map(getitem, self._maps, row[1:_FIRST_SAID]), *row[_FIRST_SAID:])
            for row in page
        ]
        stored = stored_identities(connection, list(map(_identity, moved)))
        new = []
        for row in moved:
            there = stored.get(_identity(row))
            if there is None:
                new.append(row)
            elif there[1] != _content_key(row):
                self._compare(connection, row[0], there)
        if new:
            numbers = new_ids(connection, result, len(new))
            rows = [(n, *row[1:-1]) for n, row in zip(numbers, new, strict=True)]
            insert_plain(connection, _COLUMNS, rows)
            times = [(n, row[-1]) for n, row in zip(numbers, new, strict=True)]
            blobs = [pair for pair in times if pair[1] is not None]  # skips have none, pruned too
            insert_plain(connection, list(sample.columns), blobs)
        return len(new)

    def _compare(self, connection: Connection, id_: int, there: tuple[int, str]) -> None:
        with self._source.reading() as reader:
            (record,) = load(reader, [id_])
        Writer(self._target.safe_url).compare(connection, record, *there)


def write_twice(target: Store, work: Callable[[Connection], int]) -> int:
    """``work`` in a transaction, and again where another process stored some of it meanwhile: the
    second time that is found, and compared."""
    try:
        with target.writing() as connection:
            return work(connection)
    except StoreError as error:
        if not isinstance(error.__cause__, IntegrityError):
            raise
    with target.writing() as connection:
        return work(connection)
