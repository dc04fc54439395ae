"""Which results are meant: the filters that annotation and retention share."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, select

from harness.errors import StoreError, did_you_mean
from harness.model.identity import KEY_LENGTH
from harness.store import schema
from harness.store.reading import sweep_number


@dataclass(frozen=True)
class Selection:
    """Results that match everything that is given; nothing given is refused, never "all"."""

    sweep: str | None = None
    """Sweep id."""
    job: str | None = None
    """Job key, or its beginning."""
    series: str | None = None
    """Series key, or its beginning."""
    kernel: str | None = None
    """Kernel name or glob."""
    gpu: str | None = None
    """Name of the GPU asked for."""
    device: str | None = None
    """Model of the device that it ran on, or glob."""
    launch: int | None = None
    """Round of the sweep."""

    def describe(self) -> str:
        """The filters in words."""
        given = ((f.name, getattr(self, f.name)) for f in fields(self))
        return ", ".join(f"{name} {value}" for name, value in given if value is not None)

    def results(self, connection: Connection) -> Select[Any]:
        """A query of the ids of the results that match.

        Raises:
            StoreError: nothing was given, or what was given names nothing in this store.
        """
        if not self.describe():
            raise StoreError("say which results: give a sweep, job, series, kernel, GPU or device")
        r, j, s = schema.result.c, schema.job, schema.series
        query = select(r.id)
        if self.sweep is not None:
            query = query.where(r.sweep_id == sweep_number(connection, self.sweep))
        if self.launch is not None:
            query = query.where(r.launch == self.launch)
        if self.job is not None or self.kernel is not None or self.gpu is not None:
            query = query.join(j, r.job_id == j.c.id)
        if self.job is not None:
            query = query.where(_begins(j.c.key, self.job))
        if self.gpu is not None:
            query = query.where(j.c.gpu == self.gpu)
        if self.kernel is not None:
            names = _matching(connection, schema.kernel.c.name, self.kernel, "kernel")
            query = query.join(schema.kernel, j.c.kernel_id == schema.kernel.c.id)
            query = query.where(schema.kernel.c.name.in_(names))
        if self.series is not None or self.device is not None:
            query = query.join(s, r.series_id == s.c.id)
        if self.series is not None:
            query = query.where(_begins(s.c.key, self.series))
        if self.device is not None:
            names = _matching(connection, s.c.device_model, self.device, "device")
            query = query.where(s.c.device_model.in_(names))
        return query


def _begins(column: Column[str], key: str) -> ColumnElement[bool]:
    whole = len(key) >= KEY_LENGTH  # then an index serves
    return column == key if whole else column.startswith(key, autoescape=True)


def _matching(connection: Connection, column: Column[str], glob: str, what: str) -> list[str]:
    """Names in ``column`` that match; resolved here, since engines differ in GLOB and LIKE."""
    names = connection.scalars(select(column).distinct()).all()
    found = [name for name in names if fnmatch.fnmatchcase(name, glob)]
    if not found:
        raise StoreError(f"no {what} {glob!r} in the store. {did_you_mean(glob, names)}")
    return found
