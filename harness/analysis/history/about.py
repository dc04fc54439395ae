"""What the points of histories refer to: rows of the dimensions, read once each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from harness.analysis.history.facts import facts_of
from harness.store import schema
from harness.store.dimensions import rows_by_id
from harness.store.rows import Row, problem_of

SURROUNDINGS = ("environment", "revision", "device", "timing")
"""Tables that say what surrounded a result."""


class About:
    """Rows of the dimensions that the points refer to."""

    def __init__(self, connection: Connection, points: pd.DataFrame) -> None:
        def rows(table: Any, ids: Iterable[Any]) -> dict[int, Row]:
            return rows_by_id(connection, table, {int(i) for i in ids if not pd.isna(i)})

        self.environment, self.revision, self.device, self.timing = (
            rows(getattr(schema, name), points[f"{name}_id"].unique()) for name in SURROUNDINGS
        )
        files = rows(schema.kernel_file, points["kernel_file_id"].unique())
        self.places = {id_: (row["folder"], row["file"]) for id_, row in files.items()}
        self.series = rows(schema.series, points["series_id"].unique())
        self.sweep = rows(schema.sweep, points["sweep_id"].unique())
        kernels = rows(schema.kernel, [row["kernel_id"] for row in self.series.values()])
        problems = rows(schema.problem, [row["problem_id"] for row in self.series.values()])
        self.labels = {
            id_: _labels(row, kernels[row["kernel_id"]], problems[row["problem_id"]])
            for id_, row in self.series.items()
        }
        self._facts: dict[tuple[Any, ...], Mapping[str, str]] = {}

    def facts(self, *ids: Any) -> Mapping[str, str]:
        """The facts of a point, of its ids in the order of SURROUNDINGS; shared."""
        if ids not in self._facts:
            rows = (getattr(self, name).get(i) for name, i in zip(SURROUNDINGS, ids, strict=True))
            self._facts[ids] = facts_of(*rows)
        return self._facts[ids]


def _labels(series: Row, kernel: Row, problem: Row) -> dict[str, str]:
    options = kernel["options"]
    return {
        "operator": "" if kernel["operator"] == "attention" else kernel["operator"],
        "kernel": kernel["name"] + ("" if options == "{}" else f" {options}"),
        "problem": problem_of(problem).summary(),
        "device": series["device_model"],
        "mode": series["mode"],
    }
