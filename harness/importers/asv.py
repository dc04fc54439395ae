"""airspeed velocity's result files: ``results/MACHINE/COMMIT-ENVIRONMENT.json`` (version 2).

A row of ``results`` is a list in the order of ``result_columns``, cut off after its last value; the
cells of a parametrised benchmark lie in the order of the product of its parameters. Units and the
names of parameters stand in ``benchmarks.json``, one folder up, which must be there: without it a
figure has no unit. Described in asv's developer documentation; read here from what asv 0.6 wrote.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.importers.source import Node, Source, number_or_text, params_from
from harness.model import External

NAME = "asv"

_NOTHING = (None, "NaN")  # null: it failed; NaN: it was skipped


def recognises(source: Source) -> bool:
    """A document with result_columns and a commit."""
    return '"result_columns"' in source.text and '"commit_hash"' in source.text


def read(source: Source) -> Iterator[External]:
    """A result for each benchmark and combination of parameters that has one."""
    document = source.json
    columns = [node.text() for node in document["result_columns"].each()]
    known = _benchmarks(source)
    machine = document["params"].dict()
    device = str(machine.get("cpu") or machine.get("machine") or "")
    about = {
        "environment": document["env_name"].text(),
        "python": document.dict().get("python"),
        "requirements": document.dict().get("requirements") or {},
        "machine": machine,
    }
    for name in document["results"].dict():
        row = document["results"][name]
        if name not in known.value:
            row.fail("is in results but not in benchmarks.json")
        cells = dict(zip(columns, row.each(), strict=False))
        yield from _cells(source, name, row, cells, known[name], device, about)


def _benchmarks(source: Source) -> Node:
    for folder in (source.path.parent.parent, source.path.parent):
        path = folder / "benchmarks.json"
        if path.is_file() and path != source.path:
            return Source(Path(path), source.given).json
    source.fail(
        "asv keeps units and names of parameters in benchmarks.json, which is neither beside this "
        "file nor one folder up: keep asv's results folder together"
    )


def _cells(
    source: Source,
    name: str,
    row: Node,
    cells: dict[str, Node],
    benchmark: Node,
    device: str,
    about: dict[str, Any],
) -> Iterator[External]:
    if cells.get("result") is None or cells["result"].value is None:
        return
    names = [node.text() for node in benchmark["param_names"].each()]
    combinations = list(itertools.product(*(axis.value for axis in cells["params"].each())))
    measure = benchmark["type"].text()
    started = source.json.get("date") if cells.get("started_at") is None else cells["started_at"]
    when = "" if started is None or started.value is None else _time(started)
    for index, node in enumerate(cells["result"].each()):
        if node.value in _NOTHING:
            continue
        if index >= len(combinations):
            row.fail(f"has {index + 1} results for {len(combinations)} combinations of parameters")
        samples = _at(cells, "samples", index)
        values = (
            tuple(sample.number() for sample in samples.each())
            if samples is not None
            else (node.number(),)
        )
        spread = {
            column: found.value
            for column in cells
            if column.startswith("stats_") and (found := _at(cells, column, index)) is not None
        }
        yield source.result(
            f"{row.where}[0][{index}]",
            row,
            benchmark=name,
            params=params_from(dict(zip(names, _words(combinations[index]), strict=False))),
            measure=measure,
            unit=benchmark["unit"].text(),
            values=values,
            statistic="sample" if samples is not None or not spread else "median",
            higher_is_better=False if measure in ("time", "memory", "peakmemory") else None,
            device=source.device(device),
            measured_at=source.when(when),
            version=source.given.version or source.json["commit_hash"].text(),
            source=NAME,
            metadata=about | {"asv_version": cells["version"].value, "stats": spread},
        )


def _words(combination: tuple[Any, ...]) -> list[Any]:
    """Parameters are Python's repr of each: numbers become numbers, quotes go."""
    return [number_or_text(str(word).strip("'\"")) for word in combination]


def _time(node: Node) -> str:
    return datetime.fromtimestamp(node.number() / 1000, UTC).isoformat()


def _at(cells: dict[str, Node], column: str, index: int) -> Node | None:
    cell = cells.get(column)
    if cell is None or cell.value is None or index >= len(cell.value):
        return None
    return None if cell.value[index] in _NOTHING else cell[index]
