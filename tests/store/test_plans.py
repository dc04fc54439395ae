"""No question that is asked all the time walks a large table, on either engine."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from harness.analysis.compare.reading import Filters, read_sides
from harness.analysis.external import externals
from harness.analysis.query import results
from harness.analysis.slices import history, latest_values, launch_medians
from harness.store import Store
from tests.store.make import SWEEP, record
from tests.store.test_externals import ONE

OTHER = replace(SWEEP, id="20260103-030405-abcdef")

LARGE = ("result", "sample", "newest", "external_result")
"""Tables that grow with every sweep, and the alias under which one is read."""

QUESTIONS: dict[str, Callable[[Store], Any]] = {
    "latest of every series": latest_values,
    "history of one series": lambda store: history(store, str(record(1).series_key)),
    "comparison of two sweeps": lambda store: launch_medians(store, [SWEEP.id, "another"]),
    "data of a report page": lambda store: results(store, sweep=SWEEP.id),
    "attnbench results": lambda store: results(
        store, sweep=SWEEP.id, kernel="sdpa*", dtype="bf16", gpu="h200", commands=True
    ),
    "attnbench compare": lambda store: read_sides(
        store, (SWEEP.id, OTHER.id), None, Filters(), None
    ),
    "one record": lambda store: store.record(SWEEP.id, record(1).job_key),
    "what is finished": lambda store: store.finished(SWEEP.id),
    "the same record again": lambda store: store.append(record(1)),
    "external results of a month": lambda store: externals(store, since="2026-01-01"),
}


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with some of everything."""
    store.start_sweep(OTHER)
    store.append_many(
        record(seq, launch=launch, sweep_id=sweep.id)
        for sweep in (SWEEP, OTHER)
        for seq in range(1, 40)
        for launch in range(3)
    )
    store.append_externals([ONE])
    return store


def statements(store: Store, question: Callable[[Store], Any]) -> list[tuple[str, Any]]:
    """What ``question`` asks the database, with its parameters; only reading."""
    found: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, text: str, parameters: Any, ___: Any, many: bool) -> None:
        if text.lstrip().upper().startswith(("SELECT", "WITH")) and not many:
            found.append((text, parameters))

    event.listen(store._engine, "before_cursor_execute", note)
    try:
        question(store)
    finally:
        event.remove(store._engine, "before_cursor_execute", note)
    return found


def walked(connection: Connection, text: str, parameters: Any) -> list[str]:
    """The lines of the query's plan that read a large table from end to end."""
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)
        lines = [row[3] for row in plan]
        return [line for line in lines if re.match(rf"SCAN ({'|'.join(LARGE)})\b", line)]
    # A small table is walked whatever indices it has: what counts is that it need not be.
    for walk in ("seqscan", "bitmapscan"):
        connection.exec_driver_sql(f"SET LOCAL enable_{walk} = off")
    plan = connection.exec_driver_sql(f"EXPLAIN {text}", parameters)
    lines = [row[0] for row in plan]
    bad = [line for line in lines if re.search(rf"Seq Scan on ({'|'.join(LARGE)})\b", line)]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if re.search(rf"Index (Only )?Scan .*on ({'|'.join(LARGE)})\b", line):
            bad += [] if "Index Cond" in following else [line]
    return bad


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_walks_a_large_table(filled: Store, question: str) -> None:
    asked = statements(filled, QUESTIONS[question])
    assert any(re.search(rf"\b({'|'.join(LARGE)})\b", text) for text, _ in asked)
    for text, parameters in asked:
        with filled.reading() as connection:
            assert walked(connection, text, parameters) == [], text


def test_a_walk_is_seen(filled: Store) -> None:
    """The test above can fail: these do walk."""
    for text in (
        "SELECT count(*) FROM result WHERE reason = 'x'",
        "SELECT result.id FROM sweep JOIN result ON result.log = sweep.name ORDER BY result.id",
    ):
        with filled.reading() as connection:
            assert walked(connection, text, ()), text
