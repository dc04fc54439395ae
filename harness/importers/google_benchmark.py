"""Google Benchmark's ``--benchmark_out_format=json``.

Repetitions of one benchmark become the repeats of one result; where a file holds aggregates alone
(``--benchmark_report_aggregates_only``), the median is its one value. Arguments are read off the
name (``sum/8``, ``sum/n:8``). Described in Google Benchmark's user guide; read here from what
library version 1.9.5 wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.importers.source import Node, Source, number_or_text, params_from
from harness.model import External

NAME = "google-benchmark"

_RATES = {"bytes_per_second": "B/s", "items_per_second": "1/s"}
_HOW = re.compile(
    r"(min_time|min_warmup_time|iterations|repeats):.*|real_time|process_time|manual_time"
)
_FIXED = {
    "name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions",
    "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit",
    "aggregate_name", "aggregate_unit", "error_occurred", "error_message", "skipped",
    "skip_message", "label", *_RATES,
}  # fmt: skip


def recognises(source: Source) -> bool:
    """A document whose benchmarks have a time_unit, or whose context names the library's build."""
    text = source.text
    return '"context"' in text and '"benchmarks"' in text and '"library_build_type"' in text


def read(source: Source) -> Iterator[External]:
    """Results for real_time, cpu_time and the two rates, of each benchmark that ran."""
    context = source.json["context"]
    host = context.dict()
    device = source.device(str(host.get("host_name") or ""))
    when = source.when(context["date"].text())
    runs: dict[str, list[Node]] = {}
    for node in source.json["benchmarks"].each():
        entry = node.dict()
        if not entry.get("error_occurred") and not entry.get("skipped"):
            runs.setdefault(str(entry.get("run_name") or node["name"].text()), []).append(node)
    for name, nodes in runs.items():
        repeats = [n for n in nodes if n.dict().get("run_type", "iteration") == "iteration"]
        statistic = "sample"
        if not repeats:
            medians = [n for n in nodes if n.dict().get("aggregate_name") == "median"]
            repeats, statistic = medians, "median"
        if not repeats:
            nodes[0].fail(f"is an aggregate of {name}, which has neither repetitions nor a median")
        yield from _measures(source, name, repeats, statistic, device, when)


def _measures(
    source: Source, name: str, nodes: list[Node], statistic: str, device: str, when: str
) -> Iterator[External]:
    first = nodes[0]
    benchmark, params = _arguments(name)
    threads = first.dict().get("threads", 1)
    if threads != 1:
        params["threads"] = threads
    measures = {measure: first["time_unit"].text() for measure in ("real_time", "cpu_time")}
    measures |= {rate: unit for rate, unit in _RATES.items() if rate in first.dict()}
    counters = {k: v for k, v in first.dict().items() if k not in _FIXED}
    for measure, unit in measures.items():
        yield source.result(
            first.where,
            first,
            benchmark=benchmark,
            params=params_from(params),
            measure=measure,
            unit=unit,
            values=tuple(node[measure].number() for node in nodes),
            statistic=statistic,
            higher_is_better=measure in _RATES,
            device=device,
            measured_at=when,
            source=NAME,
            metadata={
                "name": name,
                "label": first.dict().get("label", ""),
                "iterations": [node.dict().get("iterations") for node in nodes],
                "counters": counters,
                "context": {k: v for k, v in source.json["context"].dict().items() if k != "date"},
            },
        )


def _arguments(name: str) -> tuple[str, dict[str, Any]]:
    """``sum/8/n:3/real_time`` is the benchmark sum with arg0=8 and n=3."""
    words = name.split("/")
    params: dict[str, Any] = {}
    kept = [words[0]]
    for word in words[1:]:
        key, colon, value = word.rpartition(":")
        if _HOW.fullmatch(word):
            continue
        if colon and "<" not in word:
            params[key] = number_or_text(value)
        elif isinstance(number := number_or_text(word), str):
            kept.append(word)  # a fixture's method: Fixture/method/8
        else:
            params[f"arg{len([p for p in params if p.startswith('arg')])}"] = number
    return "/".join(kept), params
