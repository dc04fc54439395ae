"""What the gate leaves for a CI: Markdown, JUnit XML, JSON."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree as xml

from harness.analysis.compare.markdown import cell
from harness.analysis.compare.words import change, interval, mean_text
from harness.analysis.digits import digits
from harness.analysis.gate import Gate, Outcome

TITLES = {
    Outcome.PASSED: "passed: nothing regressed",
    Outcome.REGRESSED: "failed: regressed",
    Outcome.OPEN: "open: not enough evidence",
}
SHOWN = 50


def markdown(gate: Gate) -> str:
    """For a pull request: the answer, what failed, what is open, the means."""
    first = next(iter(gate.comparisons.values()))
    states = ("failed", "open", "accepted", "passed")
    counts = ", ".join(
        f"{len(gate.of(s))} {s}" for s in states if s != "accepted" or len(gate.of(s))
    )
    lines = [
        f"### attnbench gate {TITLES[gate.outcome]}",
        "",
        f"Baseline: {cell(first.a.label)}  ",
        f"Candidate: {cell(first.b.label)}  ",
        f"Cells × metrics: {counts}",
        "",
    ]
    for state in ("failed", "open", "accepted"):
        rows = gate.of(state).head(SHOWN).to_dict("records")
        if rows:
            lines += [f"**{state}**", "", "| metric | what | change | 95 % | A | B | why |"]
            lines += ["|---|---|--:|:-:|--:|--:|---|", *map(_row, rows), ""]
            more = len(gate.of(state)) - len(rows)
            lines += [f"and {more} more {state}", ""] if more else []
    for name, found in gate.comparisons.items():
        lines.append(f"- {name}: {mean_text(found.mean)}, geometric mean")
    one = first.one_sided
    gone = one[(one["has"] == "A") & one["status"].isin(["missing", "skipped"])]
    if len(gone):
        lines.append(f"- {len(gone)} cells of the baseline were not measured now: not judged")
    for fact in first.environment:
        lines.append(f"- {cell(fact.what)}: {cell(fact.before)} → {cell(fact.after)}")
    return "\n".join(lines) + "\n"


def _row(row: dict[Any, Any]) -> str:
    figures = ("" if math.isnan(row[n]) else digits(row[n]) for n in ("before", "after"))
    why = row["reason"] or f"{row['verdict']}; the limit is {row['limit'] * 100:g} %"
    what = f"{row['kernel']} {row['problem']}"
    bounds = interval(row["low"], row["high"])
    parts = [row["metric"], cell(what), change(row["ratio"]), bounds, *figures, cell(why)]
    return f"| {' | '.join(parts)} |"


def junit(gate: Gate) -> str:
    """JUnit XML: a suite a metric, a case a cell; an open one is skipped, with why."""
    root = xml.Element("testsuites", name="attnbench gate")
    for metric, part in gate.cells.groupby("metric", sort=False):
        states = part["state"].value_counts()
        suite = xml.SubElement(
            root,
            "testsuite",
            name=str(metric),
            tests=str(len(part)),
            failures=str(states.get("failed", 0)),
            errors="0",
            skipped=str(states.get("open", 0)),
        )
        for row in part.to_dict("records"):
            name = f"{row['problem']} [{row['device']}, {row['mode']}]"
            case = xml.SubElement(suite, "testcase", classname=str(row["kernel"]), name=name)
            said = f"{change(row['ratio'])} ({interval(row['low'], row['high'])}) {row['reason']}"
            if row["state"] == "failed":
                xml.SubElement(case, "failure", type=row["verdict"], message=said.strip())
            elif row["state"] == "open":
                xml.SubElement(case, "skipped", message=said.strip())
    xml.indent(root)
    return xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def as_dict(gate: Gate) -> dict[str, Any]:
    """Plain JSON values; NaN and infinity are null."""
    first = next(iter(gate.comparisons.values()))
    rows = gate.cells.to_dict("records")
    return {
        "outcome": gate.outcome.name.lower(),
        "exit_code": int(gate.outcome),
        "baseline": first.a.label,
        "candidate": first.b.label,
        "cells": [{str(k): _plain(v) for k, v in row.items()} for row in rows],
        "environment": [vars(fact) for fact in first.environment],
    }


def _plain(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
