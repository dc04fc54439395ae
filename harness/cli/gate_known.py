"""What triage knows of the cells that a gate judges."""

from __future__ import annotations

from sqlalchemy import select

from harness.analysis.gate import Gate, Known
from harness.analysis.triage import accepted
from harness.store import Store, schema
from harness.store.triage import triage_entries


def known_of(store: Store, gate: Gate) -> dict[tuple[str, tuple[str, ...]], Known]:
    """By metric and cell, the worsening between the gate's two sides that somebody spoke of."""
    entries = triage_entries(store)
    if not entries:
        return {}
    kernel, problem, series = schema.kernel.c, schema.problem.c, schema.series.c
    keys = sorted({move.series for entry in entries for move in entry.moves})
    columns = (series.key, kernel.name, kernel.options, problem.key, series.device_model)
    query = (
        select(*columns, series.mode)
        .select_from(schema.series)
        .join(schema.kernel, series.kernel_id == kernel.id)
        .join(schema.problem, series.problem_id == problem.id)
    )
    cells: dict[str, tuple[str, ...]] = {}
    with store.reading() as connection:
        for start in range(0, len(keys), 500):
            some = series.key.in_(keys[start : start + 500])
            for key, name, options, *rest in connection.execute(query.where(some)):
                cells[key] = (name, "" if options == "{}" else options, *rest)
    out = {}
    for metric, comparison in gate.comparisons.items():
        worse = -1 if comparison.metric.higher_is_better else 1
        for (key, name, direction), (entry, ratio) in accepted(entries, *comparison.sweeps).items():
            if name == metric and direction == worse and key in cells:
                said = f": {entry.note}" if entry.note else ""
                text = f"{entry.state} by {entry.actor} (event {entry.event[:8]}){said}"
                out[metric, cells[key]] = Known(ratio, text)
    return out
