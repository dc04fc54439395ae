"""pytest-benchmark's ``--benchmark-json`` and ``--benchmark-save`` files.

Times are in seconds. With ``--benchmark-json`` every round is kept (``stats.data``); a file without
them gives its median alone. Described in pytest-benchmark's documentation under "Comparing past
runs"; read here from what version 5.3 wrote.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.importers.source import Source, params_from
from harness.model import External

NAME = "pytest-benchmark"


def recognises(source: Source) -> bool:
    """A document with machine_info and benchmarks."""
    return '"machine_info"' in source.text and '"benchmarks"' in source.text


def read(source: Source) -> Iterator[External]:
    """A result for each benchmark: measure ``time`` in s."""
    document = source.json
    machine = document["machine_info"]
    cpu = machine.get("cpu")
    brand = str(cpu.dict().get("brand_raw") or "") if cpu else ""
    device = source.device(brand or str(machine.dict().get("machine", "")))
    when = source.when(document["datetime"].text())
    commit = document.get("commit_info")
    facts = commit.dict() if commit else {}
    version = source.given.version or str(facts.get("id") or "")
    if facts.get("dirty"):
        version += "-dirty"
    shared = {
        "host": machine.dict().get("node", ""),
        "python": machine.dict().get("python_version", ""),
        "commit_time": facts.get("time") or "",
        "branch": facts.get("branch") or "",
    }
    for benchmark in document["benchmarks"].each():
        stats = benchmark["stats"]
        data = stats.get("data")
        values = (
            tuple(node.number() for node in data.each()) if data else (stats["median"].number(),)
        )
        params = benchmark.get("params")
        full = benchmark["fullname"].text()
        yield source.result(
            benchmark.where,
            benchmark,
            benchmark=full.split("[", 1)[0] if params else full,
            params=params_from(params.dict()) if params else (),
            measure="time",
            unit="s",
            values=values,
            statistic="sample" if data else "median",
            higher_is_better=False,
            device=device,
            measured_at=when,
            version=version,
            source=NAME,
            metadata=shared
            | {
                "group": benchmark.dict().get("group"),
                "extra_info": benchmark.dict().get("extra_info") or {},
                "stats": {k: v for k, v in stats.dict().items() if k != "data"},
            },
        )
