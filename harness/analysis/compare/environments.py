"""Environments: in what the two sides differ besides what was compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from harness.store import schema
from harness.store.dimensions import rows_by_id

SHORT = 12
"""Characters of a commit or hash that are shown."""


@dataclass(frozen=True)
class Difference:
    """One fact that isn't the same on both sides."""

    what: str
    """Its name: ``torch``, ``driver``, ``source of sdpa_flash``, ``timing.budget_s``."""
    before: str
    """Its values on the first side, sorted, "–" for none."""
    after: str
    """On the second."""


def differences(connection: Connection, frame: pd.DataFrame) -> list[Difference]:
    """What differs, software first, then kernels, protocol, hosts and boards."""
    facts: list[dict[str, set[str]]] = []
    tables = (
        ("environment_id", schema.environment),
        ("revision_id", schema.revision),
        ("timing_id", schema.timing),
    )
    for side in (0, 1):
        mine = frame[frame["side"] == side]
        found: dict[str, set[str]] = {}
        environments, revisions, timings = (
            rows_by_id(connection, table, map(int, mine[column].dropna().unique()))
            for column, table in tables
        )
        for row in environments.values():
            _add(found, {k: v for k, v in row.items() if k not in ("id", "key", "libraries")})
            _add(found, json.loads(row["libraries"]))
        for kernel, id_ in sorted(set(_pairs(mine, "kernel", "revision_id"))):
            row = revisions[id_]
            _add(found, {f"source of {kernel}": row["source_hash"]})
            _add(found, {f"{row['library']} of {kernel}": row["library_version"]})
            commit = row["commit"][:SHORT] + (" with changes" if row["dirty"] else "")
            _add(found, {"kernels' commit": commit.strip()})
        for row in timings.values():
            _add(found, {f"timing.{k}": v for k, v in json.loads(row["settings"]).items()})
        for what in ("host", "device_uuid"):
            _add(found, dict.fromkeys([what], None))
            found.setdefault(what, set()).update(map(str, mine[what].dropna().unique()))
        facts.append(found)
    return _compared(facts, _kernels_of_both(frame))


def _kernels_of_both(frame: pd.DataFrame) -> set[str]:
    names = [set(frame.loc[frame["side"] == s, "kernel"]) for s in (0, 1)]
    return names[0] & names[1]


def _pairs(frame: pd.DataFrame, *columns: str) -> list[tuple[Any, int]]:
    known = frame[list(columns)].dropna().drop_duplicates()
    return [(a, int(b)) for a, b in known.itertuples(index=False)]


def _add(found: dict[str, set[str]], facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        if value not in (None, ""):
            found.setdefault(name, set()).add(str(value))


def _compared(facts: list[dict[str, set[str]]], kernels: set[str]) -> list[Difference]:
    out = []
    for name in dict.fromkeys([*facts[0], *facts[1]]):
        a, b = facts[0].get(name, set()), facts[1].get(name, set())
        of_kernel = name.rpartition(" of ")[2] if " of " in name else None
        if a == b or (of_kernel is not None and of_kernel not in kernels):
            continue  # a kernel that one side alone has is no difference of versions
        out.append(Difference(_title(name), _text(name, a), _text(name, b)))
    return out


def _title(name: str) -> str:
    return {
        "device_uuid": "boards",
        "harness": "attnbench",
        "harness_commit": "attnbench's commit",
    }.get(name, name)


def _text(name: str, values: set[str]) -> str:
    shown = sorted(values)
    if name.startswith("source of") or name == "harness_commit":
        shown = [v[:SHORT] + ("-dirty" if v.endswith("-dirty") else "") for v in shown]
    return ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "") or "–"
