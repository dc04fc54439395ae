"""``attnbench list``: kernels, gpus, workloads, experiments, read from their yaml."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from harness.cli.common import user_kernel_dirs
from harness.cli.lines import print_line
from harness.cli.listing_kernels import kernel_rows, print_kernels
from harness.errors import ConfigError

PROSE = {"description": "", "axes": "dim", "source": "dim"}
"""What stands below a row's facts, in this order, and its style."""
NAMED = ("axes",)
"""Prose that says what it is."""


def list_command(what: str, kernels: list[Path], format: str) -> int:
    """Body of ``attnbench list``; returns the exit code."""
    if format not in ("table", "json"):
        raise ConfigError(f"--format {format}: there are table and json")
    folders = user_kernel_dirs(kernels)
    rows = {
        "kernels": lambda: kernel_rows(folders),
        "gpus": _gpus,
        "workloads": _workloads,
        "experiments": _experiments,
    }[what]()
    if format == "json":
        json.dump(rows, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return 0
    if what == "kernels":
        print_kernels(rows, Console())
    else:
        _print(rows, Console())
    return 0


def _print(rows: list[dict[str, Any]], console: Console) -> None:
    """Facts in columns, prose below them in lines of its own: 80 columns cut nothing short."""
    facts = [name for name in rows[0] if name not in PROSE] if rows else []
    texts = [[name.replace("_", " ") for name in facts]]
    texts += [[_text(row[name]) for name in facts] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for number, line in enumerate(texts):
        fact_line = "  ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)).rstrip()
        console.print(Text(fact_line, style="" if number else "bold"), soft_wrap=True)
        for name, style in PROSE.items() if number else ():
            if text := _text(rows[number - 1].get(name) or ""):
                print_line(console, f"{name}: {text}" if name in NAMED else text, 4, style)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


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
