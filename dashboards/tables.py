"""Tables of a page: what is best where, how time grows, what failed, and what it ran on.

Each takes a prepared frame and gives a ``Table`` of texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd

from dashboards import tidy
from dashboards.charts.failures import reasons
from dashboards.charts.latency import exponents
from dashboards.content import Table
from dashboards.formats import is_missing, listing, number, power, ratio, spread


def best(frame: pd.DataFrame, baseline: str) -> Table:
    """The fastest kernel of each problem, its lead over the baseline, and who it ties with."""
    gains = {
        (cell["panel"], int(cell["length"]), cell["label"]): over_baseline(cell)
        for cell in tidy.records(tidy.speedups(frame, baseline))
    }
    rows = []
    for first, ties in tidy.fastest(frame):
        panel, length, kernel = first["panel"], int(first["length"]), first["label"]
        ends = (first["latency_ms"], first["latency_low_ms"], first["latency_high_ms"])
        gain = gains.get((panel, length, kernel), "baseline")
        row = [panel, f"{length:,}", kernel, spread(*ends), gain, number(first["tflops"])]
        rows.append([*row, listing(ties, 4)])
    columns = ["Problem", "Length", "Fastest", "Latency, ms (95 % interval)"]
    columns += [f"Speed-up over {baseline}", "TFLOP/s", "Not told apart from"]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return Table(columns, rows, frozenset({1, 3, 4, 5}))


def over_baseline(cell: dict[str, Any]) -> str:
    """Text of a cell of ``tidy.speedups``."""
    if not is_missing(cell["speedup"]):
        return ratio(cell["speedup"], cell["speedup_low"], cell["speedup_high"])
    return "no baseline" if cell["status"] == "ok" else str(cell["status"]).replace("_", " ")


def growth(frame: pd.DataFrame) -> Table:
    """The fitted exponent of each kernel on each panel: a row each, the slowest kernel first."""
    rows = []
    for fit in tidy.records(exponents(frame)):
        known = not (is_missing(fit["low"]) or is_missing(fit["high"]))
        interval = f"{fit['low']:.2f} to {fit['high']:.2f}" if known else "not known"
        rows.append(
            [
                fit["panel"],
                fit["kernel"],
                power(fit["exponent"]),
                interval,
                f"{fit['points']}",
                fit["regime"],
            ]
        )
    columns = ["Problem", "Kernel", "Growth", "95 % interval", "Lengths", "Change of regime"]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return Table(columns, rows, frozenset({2, 3, 4}))


def failed(frame: pd.DataFrame) -> Table:
    """Failures and skips, grouped by reason, with how many cells each took."""
    rows = [
        [r["status"].replace("_", " "), r["kernel"], f"{r['cells']:,}", r["reason"], r["example"]]
        for r in tidy.records(reasons(frame))
    ]
    return Table(
        ["Status", "Kernel", "Cells", "Reason", "For example"], rows, frozenset({2}), frozenset({3})
    )


def by_kernel(frame: pd.DataFrame, text: Callable[[dict[str, Any]], str]) -> Table:
    """The table behind a chart: a row for each panel and length, a column for each kernel."""
    names = tidy.kernels(frame)
    cells: dict[tuple[str, int], dict[str, str]] = {}
    for cell in tidy.records(frame):
        row = cells.setdefault((cell["panel"], int(cell["length"])), {})
        row[cell["label"]] = text(cell)
    rows = [[p, f"{n:,}", *(row.get(k, "") for k in names)] for (p, n), row in cells.items()]
    return Table(["Problem", "Length", *names], rows, frozenset(range(1, len(names) + 2)))


def value_of(
    column: str, low: str = "", high: str = "", form: Callable[[Any], str] = number
) -> Callable[[dict[str, Any]], str]:
    """Text of one cell for ``by_kernel``: the value with its interval, or why there is none."""

    def text(cell: dict[str, Any]) -> str:
        value = cell[column]
        if is_missing(value):
            return "–" if cell["status"] == "ok" else str(cell["status"]).replace("_", " ")
        return spread(value, cell[low], cell[high]) if low else form(value)

    return text


ENVIRONMENT = {
    "device": "Device",
    "device_kind": "Kind",
    "host": "Host",
    "torch": "torch",
    "cuda": "CUDA",
    "driver": "Driver",
    "python": "Python",
    "harness": "attnbench",
    "harness_commit": "attnbench commit",
}


def environment(records: pd.DataFrame) -> Table:
    """Devices and software of what ran, a row for each set of them."""
    there = [c for c in ENVIRONMENT if c in records and records[c].replace("", None).notna().any()]
    ran = records[records["device"].notna() & (records["device"] != "")]
    if not there or ran.empty:
        return Table([], [])
    sets = ran[there].astype(object).where(ran[there].notna(), "").astype(str)
    if "harness_commit" in sets:  # twelve digits say it; a -dirty behind them has to stay
        sets["harness_commit"] = sets["harness_commit"].str.replace(
            r"^([0-9a-f]{12})[0-9a-f]+", r"\1", regex=True
        )
    found = Counter(tuple(row) for row in sets.itertuples(index=False))
    rows = [[*map(str, values), f"{n:,}"] for values, n in sorted(found.items())]
    return Table([*(ENVIRONMENT[c] for c in there), "Records"], rows, frozenset({len(there)}))


def versions(records: pd.DataFrame) -> Table:
    """Which source and library version of each kernel ran."""
    names = ["kernel", "library", "library_version", "source_hash"]
    if any(n not in records for n in names):
        return Table([], [])
    ran = records[names].astype(object).where(records[names].notna(), "")
    ran = ran[ran["source_hash"] != ""].drop_duplicates().sort_values(names)
    rows = [
        [str(k), f"{library} {version}".strip() or "its own code", str(source)[:12]]
        for k, library, version, source in ran.itertuples(index=False)
    ]
    return Table(["Kernel", "Library", "Source (SHA-256)"], rows)
