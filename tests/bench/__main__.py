"""Print every figure as one table, or with ``--json`` as JSON; ``--only NAME`` runs one module."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import platform
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path


def main() -> None:
    """Run the modules beside this one, in the order of their names."""
    modules = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem[:1] != "_")
    modules = [name for name in modules if name not in ("row", "stages", "synthetic")]
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=modules)
    parser.add_argument("--size", type=int, default=100_000, help="results in the store")
    given = parser.parse_args()
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    found = []
    for name in [given.only] if given.only else modules:
        module = importlib.import_module(f"tests.bench.{name}")
        sized = "size" in inspect.signature(module.rows).parameters
        for figure in module.rows(given.size) if sized else module.rows():
            found.append(figure)
            if not given.json:
                if len(found) == 1:
                    print(f"{machine}, Python {platform.python_version()}, {date.today()}")
                    print(f"{'':44} {'median':>10} {'spread':>8} unit     aim")
                print(
                    f"{figure.name:44} {figure.median:10.4g} {f'±{figure.spread:.0%}':>8} "
                    f"{figure.unit:8} {figure.aim}",
                    flush=True,
                )
    if given.json:
        rows = [asdict(figure) for figure in found]
        json.dump({"machine": machine, "date": str(date.today()), "rows": rows}, sys.stdout)
        print()


main()
