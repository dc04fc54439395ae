"""flashinfer-bench traces: JSON lines, one evaluation of a solution on a workload each.

Only a trace with status PASSED has a latency. flashinfer-bench compared it with its own reference;
that is kept in the metadata and is not attnbench's check. Workload traces (no solution) and failed
ones are left out. Read here from flashinfer_bench/data/trace.py (flashinfer-ai/flashinfer-bench).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.importers.source import Source, params_from
from harness.model import External

NAME = "flashinfer-bench"


def recognises(source: Source) -> bool:
    """Its first line is an object with a definition and a workload."""
    first = source.text.lstrip().split("\n", 1)[0]
    try:
        trace = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(trace, dict) and {"definition", "workload"} <= trace.keys()


def read(source: Source) -> Iterator[External]:
    """A latency in ms for each trace that passed."""
    for trace in source.json_lines():
        evaluation = trace.get("evaluation")
        if evaluation is None or evaluation["status"].text() != "PASSED":
            continue
        workload, performance = trace["workload"], evaluation["performance"]
        environment = evaluation["environment"]
        axes = {f"axis.{name}": size for name, size in workload["axes"].dict().items()}
        yield source.result(
            f"line {trace.line}",
            trace,
            benchmark=trace["definition"].text(),
            params=params_from(
                axes | {"solution": trace["solution"].text(), "workload": workload["uuid"].text()}
            ),
            measure="latency",
            unit="ms",
            values=(performance["latency_ms"].number(),),
            statistic="mean",
            higher_is_better=False,
            device=source.device(environment["hardware"].text()),
            measured_at=source.when(evaluation["timestamp"].text(), trace.line),
            source=NAME,
            metadata={
                "libs": environment.dict().get("libs") or {},
                "correctness": evaluation.dict().get("correctness"),
                "reference_latency_ms": performance.dict().get("reference_latency_ms"),
                "speedup_factor": performance.dict().get("speedup_factor"),
            },
        )
