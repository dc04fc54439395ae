"""Result: what is known about one measurement, and which command measures it again?"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pandas as pd

from dashboards import tidy
from dashboards.charts.samples import distribution, launch_name, samples
from dashboards.content import Content, Section, Table
from dashboards.formats import MISSING, count, error, is_missing, number, spread
from dashboards.source import Source
from harness.analysis.measurement import Measurement, measurement
from harness.analysis.view import result_name
from harness.model import Record

TITLE = "Result"
QUESTION = "What is known about one measurement, and which command measures it again?"
PLACE = 8
CHARTS = ("samples", "distribution")
EMPTY = "There are no results yet. Measure some with: attnbench run experiment=quickstart"


def build(source: Source) -> Content:
    """The measurement that the view names; without one, all of the view's to choose from."""
    if source.view.result:
        return one(measurement(source.store, source.view.result))
    frame = source.frame
    if frame.empty:
        return Content(EMPTY, [])
    lead = f"{count(len(frame), 'measurement')}: a point on any page leads to its row here."
    if not source.link.startswith("result.html"):
        lead = f"{count(len(frame), 'measurement')} to choose from."
    table = every(frame)
    section = Section("results", "Results", "", table=table, title="Every measurement shown")
    return Content(lead, [section])


def every(frame: pd.DataFrame) -> Table:
    """A row a measurement, with what a reader asks of one."""
    rows, names = [], []
    for cell in tidy.records(frame):
        reason = "ok" if cell["status"] == "ok" else f"{cell['status']}: {cell['reason']}"
        device = cell["device"] if not is_missing(cell["device"]) else "no device"
        time = spread(cell["latency_ms"], cell["latency_low_ms"], cell["latency_high_ms"])
        rows.append(
            [
                str(cell["label"]),
                f"{cell['workload'] or 'matrix'}: {cell['problem']}",
                f"{device}",
                str(cell["mode"]),
                reason,
                time if cell["status"] == "ok" else MISSING,
                f"{cell['launches']:,}",
                f"{int(cell['samples']):,}",
                number(cell["tflops"]),
                number(cell["peak_memory_mb"]),
                error(cell["max_error"]),
                str(cell["flags"] or ""),
                str(cell["started_at"])[:16].replace("T", " "),
            ]
        )
        names.append(result_name(cell["sweep_id"], cell["job_key"]))
    columns = ["Kernel", "Problem", "Device", "Mode", "Status", "Latency, ms (95 % interval)"]
    columns += ["Launches", "Samples", "TFLOP/s", "Peak memory, MB", "Largest error", "Remarks"]
    numbers = frozenset({5, 6, 7, 8, 9, 10})
    return Table([*columns, "Started (UTC)"], rows, numbers, results=names)


def one(found: Measurement) -> Content:
    """Everything about one measurement."""
    records, first = found.records, found.records[0]
    ok = [r for r in records if r.median_ms is not None]
    on = first.device.model if first.device else first.gpu
    lead = f"{first.kernel.name} on {first.problem.summary()}, {on}, {first.timing.mode}: "
    if ok:
        middle = sorted(r.median_ms for r in ok if r.median_ms is not None)
        lead += f"{number(middle[len(middle) // 2])} ms, median of {count(len(ok), 'launch')}"
        lead = lead.replace("launchs", "launches") + "."
    else:
        lead += f"{first.status}, {records[-1].reason}."
    if found.excluded:
        why = sorted(set(found.excluded.values()))
        lead += f" Left out of analysis: {'; '.join(why)}."
    return Content(
        lead,
        [
            Section("launches", "Launches", table=_launches(found), title="Launches and attempts"),
            Section(
                "samples",
                "Samples",
                chart=samples(records),
                table=_samples(records),
                label="every sample, ms",
            ),
            Section(
                "distribution",
                "Distribution",
                chart=distribution(records),
                table=_quantiles(records),
                label="quantiles of each launch, ms",
            ),
            Section("conditions", "Conditions", *_conditions(records)),
            Section("config", "Config", table=_facts(first), title="What was measured, and how"),
            Section("software", "Environment", table=_software(records), title="Environment"),
            *_logs(records),
            Section(
                "reproduce",
                "Reproduce",
                f"Permanent name: {found.name}",
                code=found.command,
                title="Measure it again",
            ),
        ],
        title=f"{first.kernel.name} · {first.problem.summary()}",
    )


def _launches(found: Measurement) -> Table:
    rows = []
    for i, r in enumerate(found.records):
        low, high = r.interval_ms or (None, None)
        said = "ok" if not r.reason else f"{r.status}: {r.reason}"
        if i in found.excluded:
            said += f" (excluded: {found.excluded[i]})"
        a, m = r.accuracy, r.memory
        rows.append(
            [
                launch_name(r),
                said,
                spread(r.median_ms, low, high),
                f"{r.sample_count:,}",
                str(r.calls_per_sample),
                r.stop_reason or MISSING,
                number(r.setup_ms),
                number(r.first_call_ms),
                error(a.max_error if a else None),
                (a.gate if a else "") or MISSING,
                number(m.peak_bytes / 1e6 if m and m.peak_bytes is not None else None),
                ", ".join(r.flags) or MISSING,
                r.started_at[:19].replace("T", " "),
                number(r.duration_s),
            ]
        )
    columns = ["Launch", "Status", "Latency, ms (95 % interval)", "Samples", "Calls each"]
    columns += ["Stopped because", "Set-up, ms", "First call, ms", "Largest error", "Rule"]
    columns += ["Peak memory, MB", "Remarks", "Started (UTC)", "Took, s"]
    return Table(columns, rows, frozenset({2, 3, 4, 6, 7, 8, 10, 13}), frozenset({1}))


def _samples(records: list[Record]) -> Table:
    kept = [r for r in records if r.samples_ms]
    longest = max((len(r.samples_ms) for r in kept), default=0)
    rows = [
        [f"{i + 1}", *(number(r.samples_ms[i], 5) if i < len(r.samples_ms) else "" for r in kept)]
        for i in range(longest)
    ]
    columns = ["Sample", *(launch_name(r) for r in kept)]
    return Table(columns, rows, frozenset(range(len(columns))))


def _quantiles(records: list[Record]) -> Table:
    shares = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
    rows = []
    for r in records:
        if r.samples_ms:
            values = pd.Series(r.samples_ms).quantile(list(shares))
            rows.append([launch_name(r), *(number(v, 4) for v in values)])
    columns = ["Launch", "Least", *(f"{100 * s:.0f} %" for s in shares[1:-1]), "Most"]
    return Table(columns, rows, frozenset(range(1, len(columns))))


def _conditions(records: list[Record]) -> tuple[str, None, Table, str, bool, str]:
    """Clocks, power, load …: a row a condition, a column a launch."""
    names = sorted({name for r in records for name, _ in r.conditions})
    rows = [
        [name.replace("_", " "), *(_told(dict(r.conditions).get(name)) for r in records)]
        for name in names
    ]
    text = "" if rows else "The device told nothing of its state."
    table = Table(["Condition", *(launch_name(r) for r in records)], rows)
    return text, None, table, "", False, "State of the device while timing"


def _told(value: Any) -> str:
    return value if isinstance(value, str) else number(value, 4)


def _facts(record: Record) -> Table:
    """Kernel, problem and timing, field by field; what has no value is left out."""
    rows = []
    for what, noun in (("kernel", record.kernel), ("problem", record.problem)):
        rows += [
            [what, f.name.replace("_", " "), _plain(getattr(noun, f.name))]
            for f in fields(noun)
            if f.name != "limits" and getattr(noun, f.name) not in ("", None, (), 0)
        ]
    rows += [
        ["timing", f.name.replace("_", " "), _plain(getattr(record.timing, f.name))]
        for f in fields(record.timing)
    ]
    for name in ("flops", "min_bytes"):
        value = getattr(record, name)
        rows.append(["cost", name.replace("_", " "), f"{value:,}" if value else MISSING])
    rows.append(["cost", "cost model", record.cost_model or MISSING])
    return Table(["Of", "Field", "Value"], rows, wide=frozenset({2}))


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        pairs = all(isinstance(v, tuple) and len(v) == 2 for v in value)
        return ", ".join(f"{v[0]}={v[1]}" if pairs else str(v) for v in value)
    return str(value)


def _software(records: list[Record]) -> Table:
    """Device, environment and revision: a row a fact, a column for each launch that differs."""
    sets: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for r in records:
        found: list[tuple[str, str]] = []
        for noun in (r.device, r.environment, r.revision):
            if noun is not None:
                found += [
                    (f.name.replace("_", " "), _plain(getattr(noun, f.name)))
                    for f in fields(noun)
                    if getattr(noun, f.name) not in ("", None, ())
                ]
        sets.setdefault(tuple(found), []).append(launch_name(r))
    names = list(dict.fromkeys(name for facts in sets for name, _ in facts))
    rows = [[name, *(dict(facts).get(name, MISSING) for facts in sets)] for name in names]
    return Table(["Fact", *(", ".join(who) for who in sets.values())], rows)


def _logs(records: list[Record]) -> list[Section]:
    logs = [f"{launch_name(r)}:\n{r.log.strip()}" for r in records if r.log.strip()]
    if not logs:
        return []
    title = "What it printed at the end"
    return [Section("log", "Log", code="\n\n".join(logs), title=title)]
