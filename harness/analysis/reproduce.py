"""The command that measures each row of a frame again, from what its record says."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from sqlalchemy import Connection, Table

from harness.config.catalog import gpus, workloads
from harness.config.reproduce import command_of
from harness.model import Problem
from harness.store import schema
from harness.store.dimensions import rows_by_id
from harness.store.rows import Row, kernel_of, timing_of


def reproduce(
    connection: Connection, frame: pd.DataFrame, problems: Mapping[int, Problem]
) -> list[str]:
    """One command a row of ``frame``, which has the ids of what its rows refer to."""
    kernels = _rows(connection, schema.kernel, frame["kernel_id"])
    files = _rows(connection, schema.kernel_file, frame["kernel_file_id"])
    timings = {
        i: timing_of(row) for i, row in _rows(connection, schema.timing, frame["timing_id"]).items()
    }
    known, named = workloads(), gpus()
    commands = []
    for row in frame.to_dict("records"):
        kernel = kernel_of(kernels[row["kernel_id"]], files[row["kernel_file_id"]])
        gpu = row["gpu"] if row["gpu"] in named else "local"  # hardware that no yaml describes
        commands.append(
            command_of(
                kernel,
                problems[row["problem_id"]],
                gpu,
                timings[row["timing_id"]],
                row["workload"] or "",
                known,
            )
        )
    return commands


def _rows(connection: Connection, table: Table, ids: pd.Series) -> dict[int, Row]:
    return rows_by_id(connection, table, (int(i) for i in ids.unique()))
