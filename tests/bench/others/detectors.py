"""Change points of the same planted series by this tool, Apache Otava and asv's detector.

    python -m tests.bench.others.detectors [--series 200]

The other two live in an environment of their own. All are held to moves of 2 % and more: a move
below counts as none, for a false alarm and for a step found alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
from datetime import date
from pathlib import Path
from time import perf_counter

from harness.analysis.history import detect_changes
from tests.analysis.history.planted import NOISES, series

PINS = ("apache-otava==0.8.0", "asv==0.6.6")
POINTS = 200
LEAST = 0.02
NEAR = 3
STEPS = (0.0, 0.05, 0.03)
"""0: no step; what is found is a false alarm."""
Found = list[list[tuple[int, float]]]


def environment(folder: Path) -> str:
    """The Python of the detectors' environment, made on first use."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PINS], check=True)
    return str(python)


def attnbench(given: list[list[float]]) -> tuple[float, Found]:
    """Seconds, and of each series the positions and ratios."""
    start = perf_counter()
    found = [
        [(c.index, c.ratio) for c in detect_changes(values, min_effect=LEAST)] for values in given
    ]
    return perf_counter() - start, found


def others(python: str, given: list[list[float]]) -> dict[str, tuple[float, Found]]:
    """The same of Otava and asv."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "series.json"
        file.write_text(json.dumps(given))
        command = [python, str(Path(__file__).parent / "with_detectors.py"), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[:2]} failed:\n{done.stderr[-2000:]}")
    answers = json.loads(done.stdout)
    return {name: (answer["seconds"], answer["found"]) for name, answer in answers.items()}


def share(found: Found, step: float) -> float:
    """Of series without a step those with a move; of others those whose step was found."""
    hits = 0
    for moves in found:
        large = [(at, ratio) for at, ratio in moves if not 1 / (1 + LEAST) < ratio < 1 + LEAST]
        near = [at for at, ratio in large if ratio > 1 and abs(at - POINTS // 2) <= NEAR]
        hits += bool(near if step else large)
    return hits / len(found)


def main() -> None:
    """A line a noise: false alarms, and 5 % and 3 % steps found, by each tool."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=200, help="of each noise and step")
    count = parser.parse_args().series
    python = environment(Path(sys.prefix) / "detectors")
    print(f"{platform.machine()}, {os.cpu_count()} cores, {date.today()}; {', '.join(PINS)}")
    print(f"{count} series of {POINTS} points each; false alarms / +5 % found / +3 % found")
    seconds: dict[str, float] = {}
    for noise in NOISES:
        shares: dict[str, list[float]] = {}
        for step in STEPS:
            given = [series(NOISES[noise], s, POINTS, step).tolist() for s in range(count)]
            for tool, (took, found) in {
                "attnbench": attnbench(given),
                **others(python, given),
            }.items():
                seconds[tool] = seconds.get(tool, 0.0) + took
                shares.setdefault(tool, []).append(share(found, step))
        for tool, rates in shares.items():
            print(f"{noise:22} {tool:14} " + " ".join(f"{rate:8.1%}" for rate in rates), flush=True)
    for tool, took in seconds.items():
        print(f"1,000 series by {tool}: {took / (count * len(NOISES) * len(STEPS)) * 1000:.1f} s")


if __name__ == "__main__":
    main()
