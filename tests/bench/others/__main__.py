"""Wall time, and how far the medians of repeats spread, of this tool, pytest-benchmark and pyperf.

The other two live in an environment of their own, which sees this one's torch. The spread of a cell
is (largest − smallest) / median of its repeats' medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import perf_counter

import torch

HERE = Path(__file__).parent
PINS = ("pytest-benchmark==5.3.1", "pyperf==2.10.0", "pytest")
ATTNBENCH = [sys.executable, "-P", "-c", "from harness.cli import main; main()"]
MATRIX = [
    *("kernel=sdpa_math,sdpa_flash", "workload=gpt2", "workload.heads_q=8", "dtype=fp32,bf16"),
    *("workload.causal=false", "workload.seq_len=256,512,1024", "gpu=cpu", "timing=hot"),
]
Medians = dict[str, float]


def environment(folder: Path) -> str:
    """The Python of the other tools' environment, made on first use."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PINS], check=True)
        # After its own packages, those that this project runs with: torch is installed once.
        here = sysconfig.get_path("purelib", vars={"base": str(folder)})
        (Path(here) / "shared.pth").write_text(f"{Path(torch.__file__).parents[1]}\n")
    return str(python)


def quietly(command: list[str], folder: Path = HERE) -> None:
    """Run a command that must succeed; its output only where it doesn't."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[:4]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def attnbench(python: str, folder: Path) -> Medians:
    """Through this tool: checked, three fresh processes a cell."""
    store = str(folder / "cells.db")
    quietly([*ATTNBENCH, "run", "-m", *MATRIX, f"store.url=sqlite:///{store}"], folder)
    quietly([*ATTNBENCH, "results", "--store", store, "--format", "json", "--out", "r"], folder)
    rows = json.loads((folder / "r").read_text())
    return {f"{r['kernel']}-{r['seq_q']}-{r['dtype']}": r["latency_ms"] for r in rows}


def pytest_benchmark(python: str, folder: Path) -> Medians:
    """Through pytest-benchmark with its defaults."""
    out = folder / "out.json"
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={HERE}"]
    file = str(HERE / "with_pytest_benchmark.py")
    quietly([python, "-m", "pytest", file, *options, f"--benchmark-json={out}"])
    found = json.loads(out.read_text())["benchmarks"]
    return {b["name"]: b["stats"]["median"] for b in found}


def pyperf(python: str, folder: Path) -> Medians:
    """Through pyperf in its fast setting."""
    out = folder / "out.json"
    quietly([python, "with_pyperf.py", "--fast", "-o", str(out)])
    found = {}
    for benchmark in json.loads(out.read_text())["benchmarks"]:
        values = [v for run in benchmark["runs"] for v in run.get("values", ())]
        found[benchmark["metadata"]["name"]] = statistics.median(values)
    return found


TOOLS: dict[str, Callable[[str, Path], Medians]] = {
    "attnbench": attnbench,
    "pytest-benchmark": pytest_benchmark,
    "pyperf": pyperf,
}


def main() -> None:
    """Measure with each tool in turn, several times."""
    parser = argparse.ArgumentParser(prog="make bench-others", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=TOOLS)
    given = parser.parse_args()
    python = environment(Path(sys.prefix) / "others")
    print(f"{platform.machine()}, {os.cpu_count()} cores, {date.today()}; twelve cells")
    for name, measure in TOOLS.items():
        if given.only in (None, name):
            walls, repeats = [], []
            for _ in range(given.repeats):
                with tempfile.TemporaryDirectory() as folder:
                    start = perf_counter()
                    repeats.append(measure(python, Path(folder)))
                    walls.append(perf_counter() - start)
            if any(len(medians) != 12 for medians in repeats):
                raise SystemExit(f"{name} measured {[len(m) for m in repeats]} of 12 cells")
            spreads = sorted(
                (max(x) - min(x)) / statistics.median(x)
                for x in ([medians[cell] for medians in repeats] for cell in repeats[0])
            )
            print(
                f"{name:18} {statistics.median(walls):6.1f} s a repeat; spread of the medians "
                f"{statistics.median(spreads):.1%} (worst cell {spreads[-1]:.1%})",
                flush=True,
            )


main()
