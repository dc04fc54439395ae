"""The CSV that ``triton.testing.perf_report(...).run(save_path=…)`` writes, one file a plot.

Columns: the x values, then one for each line, named ``LABEL (YLABEL)``, with the mean alone. The
plot's name is the file's; ``ylabel`` is free text that usually is the unit. Neither date nor device
is in it. Read here from triton/testing.py of Triton 3.6; older Tritons leave ``(YLABEL)`` out, and
then what is a value can't be told from what is an x: rename the columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.importers.source import Source, number_or_text, params_from
from harness.importers.table import NO_VALUE, header, number, rows
from harness.model import External

NAME = "perf-report"

_LINE = re.compile(r"(?P<label>.+) \((?P<unit>[^()]+)\)")
_TIMES = {"ms", "us", "µs", "ns", "s", "milliseconds", "microseconds", "seconds"}


def recognises(source: Source) -> bool:
    """A comma-separated table whose first column is an x and whose last is a line or Diff."""
    names = header(source, ",")
    lines = [name for name in names if _LINE.fullmatch(name)]
    return bool(lines) and names[0] not in lines and names[-1] in (lines[-1], "Diff")


def read(source: Source) -> Iterator[External]:
    """A result for each x and line; its label is the parameter ``line``."""
    device, when = source.device(), source.when()
    names = header(source, ",")
    lines = {name: found for name in names if (found := _LINE.fullmatch(name))}
    if not lines:
        source.fail("no column is named LABEL (UNIT): rename those that hold values", 1)
    for line, cells in rows(source, ","):
        x = {
            name: number_or_text(cell)
            for name, cell in cells.items()
            if name not in lines and name != "Diff"
        }
        for column, found in lines.items():
            if cells[column].lower() in NO_VALUE:
                continue
            unit = source.given.unit or found["unit"]
            time = unit.lower() in _TIMES
            rate = unit.lower().endswith(("/s", "flops", "per second"))
            yield source.result(
                f"line {line}, column {column}",
                line,
                benchmark=source.given.benchmark or source.path.stem,
                params=params_from(x | {"line": found["label"]}),
                measure="time" if time else "throughput" if rate else "value",
                unit=unit,
                values=(number(source, line, column, cells[column]),),
                statistic="mean",
                higher_is_better=False if time else True if rate else None,
                device=device,
                measured_at=when,
                source=NAME,
            )
