"""tritonbench's ``--csv`` / ``--output`` tables: semicolons, one row an input.

Columns: the x value, metrics of the input alone, then ``BACKEND-METRIC`` for each; a last row
``average`` and one ``hashes`` are no measurements. A latency may carry its spread,
``0.0123 (±1.20%)``. The file is named ``op_NAME_RANDOM.csv``; neither date nor device is in it.
Read here from tritonbench/utils/triton_op.py and components/do_bench/run.py
(meta-pytorch/tritonbench).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.importers.source import Source, number_or_text, params_from
from harness.importers.table import NO_VALUE, header, number, rows
from harness.model import External

NAME = "tritonbench"

_METRICS: dict[str, tuple[str, bool]] = {
    "latency": ("ms", False),
    "cuda_time": ("ms", False),
    "walltime": ("ms", False),
    "compile_time": ("s", False),
    "tflops": ("TFLOP/s", True),
    "gbps": ("GB/s", True),
    "speedup": ("", True),
    "gpu_peak_mem": ("GB", False),
    "cpu_peak_mem": ("GB", False),
}
"""Metric → unit, whether higher is better; others (accuracy, best_config …) are no measurements."""
_SPREAD = re.compile(r"(?P<value>\S+) \(±(?P<percent>\S+)%\)")
_FILE = re.compile(r"op_(?P<name>.+)_[a-z0-9_]{8}")


def recognises(source: Source) -> bool:
    """A table with semicolons that has a column BACKEND-METRIC."""
    return any(_metric(name) for name in header(source, ";")[1:])


def _metric(column: str) -> tuple[str, str] | None:
    backend, dash, metric = column.rpartition("-")
    return (backend, metric) if dash and backend and metric in _METRICS else None


def read(source: Source) -> Iterator[External]:
    """A result for each input, backend and metric that is a measurement."""
    device, when = source.device(), source.when()
    names = header(source, ";")
    columns = {name: found for name in names[1:] if (found := _metric(name))}
    file = _FILE.fullmatch(source.path.stem)
    benchmark = source.given.benchmark or (file["name"] if file else source.path.stem)
    for line, cells in rows(source, ";"):
        x = cells[names[0].strip()]
        if x in ("average", "hashes"):
            continue
        for column, (backend, metric) in columns.items():
            text, spread = cells[column], {}
            if spread_of := _SPREAD.fullmatch(text):
                text, spread = spread_of["value"], {"spread_percent": spread_of["percent"]}
            elif text.lower() in NO_VALUE or _is_error(text):
                continue
            unit, higher = _METRICS[metric]
            yield source.result(
                f"line {line}, column {column}",
                line,
                benchmark=benchmark,
                params=params_from({names[0].strip(): number_or_text(x), "backend": backend}),
                measure=metric,
                unit=unit,
                values=(number(source, line, column, text),),
                statistic="median",
                higher_is_better=higher,
                device=device,
                measured_at=when,
                source=NAME,
                metadata=spread,
            )


def _is_error(text: str) -> bool:
    """A backend that failed has its message where its first figure would stand."""
    return any(word in text for word in ("Error", "error", "Exception", "OOM")) or " " in text
