"""attnbench's own plain table, for whatever has no importer: commas, one row a value.

    benchmark,measure,unit,value,device,measured_at,version,higher_is_better,param.seq,meta.note
    decode,latency,ms,0.42,NVIDIA H100,2026-01-31T12:00:00Z,abc123,false,4096,first try

``benchmark``, ``measure``, ``unit``, ``value``, ``device`` and ``measured_at`` must be there (the
last two may be given on the command line instead); ``version`` and ``higher_is_better`` (true,
false) may. A column ``param.NAME`` is a parameter, an empty cell one that a row doesn't have;
``meta.NAME`` is kept as it is. Rows that differ in value alone are the repeats of one result.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.importers.source import Source, number_or_text, params_from
from harness.importers.table import Cells, header, number, rows
from harness.model import External

NAME = "csv"

_NEEDED = ("benchmark", "measure", "unit", "value")
_MAY = ("device", "measured_at", "version", "higher_is_better")
_TRUTH = {"true": True, "false": False, "": None}


def recognises(source: Source) -> bool:
    """A comma-separated table with the columns that must be there."""
    return set(_NEEDED) <= {name.strip() for name in header(source, ",")}


def read(source: Source) -> Iterator[External]:
    """A result for each group of rows that differ in value alone."""
    names = [name.strip() for name in header(source, ",")]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        source.fail(f"no column {', '.join(missing)}", 1)
    for name in names:
        if name not in _NEEDED + _MAY and not name.startswith(("param.", "meta.")):
            source.fail(
                f"column {name!r} is none of {', '.join(_NEEDED + _MAY)}: name it param.{name} if "
                f"it tells results apart, meta.{name} if it doesn't",
                1,
            )
    groups: dict[tuple[tuple[str, str], ...], tuple[int, Cells, list[float]]] = {}
    for line, cells in rows(source, ","):
        key = tuple((name, cell) for name, cell in cells.items() if name != "value")
        value = number(source, line, "value", cells["value"])
        groups.setdefault(key, (line, cells, []))[2].append(value)
    for line, cells, values in groups.values():
        yield _result(source, line, cells, values)


def _result(source: Source, line: int, cells: Cells, values: list[float]) -> External:
    truth = cells.get("higher_is_better", "").lower()
    if truth not in _TRUTH:
        source.fail(f"higher_is_better={truth!r} is neither true, false nor empty", line)
    params, metadata = (
        {
            name.removeprefix(kind): number_or_text(cell)
            for name, cell in cells.items()
            if name.startswith(kind) and cell
        }
        for kind in ("param.", "meta.")
    )
    return source.result(
        f"line {line}",
        line,
        benchmark=cells["benchmark"],
        params=params_from(params),
        measure=cells["measure"],
        unit=cells["unit"],
        values=tuple(values),
        higher_is_better=_TRUTH[truth],
        device=source.device(cells.get("device", ""), line),
        measured_at=source.when(cells.get("measured_at", ""), line),
        version=cells.get("version") or source.given.version,
        source=NAME,
        metadata=metadata,
    )
