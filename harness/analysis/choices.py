"""Choices: which values the filters of a view may take in a store."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select

from harness.store import Store, schema

MOST_SWEEPS = 200
"""Sweeps that are offered; older ones are reached by their id."""


def choices(store: Store) -> dict[str, list[str]]:
    """Values by field of ``View``, each sorted; sweeps the newest first.

    Workloads and experiments stand in the results themselves: each next one is looked up from the
    one before in what the newest sweeps hold, which is a sweep's size, not the store's.
    """
    s, r = schema.sweep.c, schema.result.c
    with store.reading() as connection:

        def distinct(column: ColumnElement[str]) -> list[str]:
            found = connection.scalars(select(column).distinct())
            return sorted(value for value in found if value)

        newest = list(
            connection.execute(select(s.id, s.key).order_by(s.key.desc()).limit(MOST_SWEEPS))
        )
        # One sweep of each name says which workloads that experiment has.
        ends = list(connection.scalars(select(func.max(s.id)).group_by(s.name)))
        recent = sorted({id_ for id_, _ in newest[:5]} | set(ends[-50:]))
        pairs = connection.execute(
            select(r.workload, r.experiment).where(r.sweep_id.in_(recent)).distinct()
        ).all()
        return {
            "sweep": [key for _, key in newest],
            "kernel": distinct(schema.kernel.c.name),
            "workload": sorted({pair[0] for pair in pairs if pair[0]}),
            "dtype": distinct(schema.problem.c.dtype),
            "gpu": distinct(schema.job.c.gpu),
            "experiment": sorted({pair[1] for pair in pairs if pair[1]}),
        }
