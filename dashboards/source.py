"""Source: a store seen through a view, which is what a page is built from.

What several pages ask for is fetched once: the records of the view, its cells, the names of all
kernels (whose colours must not depend on what is filtered away).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

import pandas as pd

from dashboards import theme, tidy
from harness.analysis.query import cells, kernel_names
from harness.analysis.view import View, result_name, view_records
from harness.model import Gpu


class Source:
    """Read-only. ``gpus`` are the hardware facts that peaks come from (conf/gpu).

    ``link`` is the address of a result's page with ``{}`` for its name, "" where there is none:
    then points lead nowhere. Each property raises StoreError or ConfigError as the queries of
    harness.analysis do.
    """

    def __init__(
        self, store: Any, view: View, gpus: Mapping[str, Gpu] | None = None, *, link: str = ""
    ) -> None:
        self.store = store
        self.view = view
        self.gpus = gpus or {}
        self.link = link

    @cached_property
    def records(self) -> pd.DataFrame:
        """A row for each record of the view."""
        return view_records(self.store, self.view, self.gpus)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row for each cell, prepared for charts (``dashboards.tidy``), with ``href`` where there
        are pages of results."""
        found = cells(self.records)
        if self.link and not found.empty:
            names = [result_name(s, j) for s, j in zip(found.sweep_id, found.job_key, strict=True)]
            found = found.assign(href=[self.link.format(quote(name)) for name in names])
        return tidy.prepare(found)

    @cached_property
    def origin(self) -> str:
        """The store's address, without a password."""
        return str(self.store.safe_url)

    @cached_property
    def commands(self) -> list[str]:
        """What measured the sweeps of the view, in their order."""
        ids = set(self.records["sweep_id"])
        return list(dict.fromkeys(s.command for s in self.store.sweeps() if s.id in ids))

    @cached_property
    def kernels(self) -> list[str]:
        """Names of all kernels in the store."""
        return kernel_names(self.store)

    def colours(self) -> Any:
        """A context in which kernels have the colours that they have on every page of the store."""
        return theme.among(self.kernels)
