"""``attnbench list``: kernels, gpus, workloads, experiments, read from their yaml."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.cli.common import user_kernel_dirs
from harness.errors import ConfigError


def list_command(what: str, kernels: list[Path], format: str) -> int:
    """Body of ``attnbench list``; returns the exit code."""
    if format not in ("table", "json"):
        raise ConfigError(f"--format {format}: there are table and json")
    folders = user_kernel_dirs(kernels)
    rows = {
        "kernels": lambda: _kernels(folders),
        "gpus": _gpus,
        "workloads": _workloads,
        "experiments": _experiments,
    }[what]()
    if format == "json":
        json.dump(rows, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return 0
    table = Table(box=None, pad_edge=False)
    for column in rows[0] if rows else ():
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(escape(_text(value)) for value in row.values()))
    Console().print(table)
    return 0


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _kernels(folders: list[Path]) -> list[dict[str, Any]]:
    from harness.config.catalog import kernels

    found = kernels(folders)
    rows = []
    for name, kernel in sorted(found.items()):
        limits = dict(kernel.limits)
        rows.append(
            {
                "kernel": name,
                "operator": kernel.operator,
                "cpu": " ".join(limits["cpu"].dtypes) if "cpu" in limits else "–",
                "cuda": " ".join(limits["cuda"].dtypes) if "cuda" in limits else "–",
                "needs": kernel.extra or kernel.library,
                "here": _here(kernel.packages, kernel.extra),
                "description": kernel.description,
            }
        )
    for name, error in found.errors.items():
        row = dict.fromkeys(
            ("kernel", "operator", "cpu", "cuda", "needs", "here", "description"), ""
        )
        rows.append({**row, "kernel": name, "description": f"BROKEN: {error}"})
    return rows


def _here(packages: tuple[str, ...], extra: str) -> str:
    """Whether a kernel's packages are installed on this machine, and if not how they come."""
    missing = [p for p in packages if importlib.util.find_spec(p.partition(".")[0]) is None]
    if not missing:
        return "yes"
    how = f": pip install 'attnbench[{extra}]'" if extra else ""
    return f"no {', '.join(missing)}{how}"


def _gpus() -> list[dict[str, Any]]:
    from harness.config.catalog import gpus

    rows = []
    for name, gpu in sorted(gpus().items()):
        rows.append(
            {
                "gpu": name,
                "kind": gpu.kind,
                "fp32_tflops": gpu.peak("fp32"),
                "bf16_tflops": gpu.peak("bf16"),
                "fp8_tflops": gpu.peak("fp8_e4m3"),
                "memory_gb": gpu.memory_gb,
                "gb_s": gpu.bandwidth_gb_s,
                "cc": gpu.compute_capability,
                "source": gpu.source,
            }
        )
    return rows


def _workloads() -> list[dict[str, Any]]:
    from harness.config.catalog import workloads

    found = workloads()
    rows = []
    for name, conf in found.items():
        heads_kv = conf.get("heads_kv") or conf.get("heads_q")
        rows.append(
            {
                "workload": name,
                "operator": conf.get("operator", "attention"),
                "heads": f"{conf.get('heads_q')}/{heads_kv}",
                "head_dim": conf.get("head_dim"),
                "causal": "yes" if conf.get("causal") else "no",
                "description": found.descriptions[name],
                "source": conf.get("source", ""),
            }
        )
    return rows


def _experiments() -> list[dict[str, Any]]:
    from harness.config.catalog import experiments

    found = experiments()
    return [
        {
            "experiment": name,
            "axes": list(conf.get("axes") or {}),
            "description": found.descriptions[name],
        }
        for name, conf in found.items()
    ]
