"""``make gpu-check``: everything that needs a GPU, with one command, on a bare box or a whole one.

    python -m tests.gpu [--out DIR] [--part claims|sweep|tests] [--kernel NAME …] [--minutes N]

Three parts. *claims* holds every kernel that claims this GPU to every claim of its yaml, against
the fp64 oracle. *sweep* measures each of them on every shipped workload, in bf16, through the
worker's own command. *tests* runs the tests marked ``gpu``, where pytest is installed. The first
two need torch with a GPU, numpy and yaml alone; no Ray, Hydra or database.

Leaves ``claims.jsonl`` and ``claims.md`` (kernel × claim), ``requests.jsonl``, ``records.jsonl``
and ``tests.txt`` in DIR. What was stopped, or ran out of time, goes on where it was. Exit codes:
0 all is well, 1 something failed, 2 there is no GPU here, 3 nothing failed yet but time ran out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from time import monotonic

import torch

from harness.config import catalog
from harness.config.nouns import problem_of
from harness.config.paths import conf_dir
from harness.measure.__main__ import main as measure_main
from harness.measure.request import Request
from harness.measure.revision import kernel_revision
from harness.model import Gpu, Job
from tests.gpu.board import this_gpu
from tests.gpu.claims import asked, check_claims
from tests.gpu.table import markdown

ROOT = conf_dir().parent
TESTS = ("tests/gpu", "tests/kernels")


def run_tests(out: Path) -> int:
    """The tests marked gpu: 0 if they passed, else 1. Their output is shown and kept."""
    command = [
        sys.executable, "-m", "pytest", "-m", "gpu", "-o", "addopts=-q --strict-markers -rfE",
        "-p", "no:cacheprovider", *TESTS,
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        with (out / "tests.txt").open("w") as kept:
            for line in run.stdout:
                print(line, end="", flush=True)
                kept.write(line)
    return 1 if run.returncode else 0


def requests(gpu: Gpu) -> list[Request]:
    """Every kernel that claims ``gpu`` on every shipped workload of its operator."""
    timing = catalog.timings()["quick"]
    problems = [problem_of(w, "bf16", "forward") for w in catalog.workloads().values()]
    return [
        Request("gpu-check", Job(kernel, problem, gpu, timing), kernel_revision(kernel))
        for kernel in catalog.kernels().values()
        for problem in problems
        if kernel.operator == problem.operator and kernel.refusal(problem, gpu) is None
    ]


def run_claims(out: Path, gpu: Gpu, only: list[str], minutes: float) -> int:
    """Hold kernels to their claims; the exit code. Writes the table whatever they did."""
    until = monotonic() + minutes * 60
    rows, left = check_claims(gpu, asked(gpu, only), out / "claims.jsonl", until)
    where = f"{device_text(gpu)}, {date.today()}"
    (out / "claims.md").write_text(markdown(rows, where, left))
    failed = sum(row.status == "failed" for row in rows)
    print(f"{len(rows)} claims tried, {failed} failed, {left} left over", flush=True)
    return 1 if failed or not rows else 3 if left else 0


def device_text(gpu: Gpu) -> str:
    """The device and the versions that its results hang on."""
    name = torch.cuda.get_device_name(0) if gpu.kind != "cpu" else "CPU"
    return f"{name} ({gpu.name}), torch {torch.__version__}, CUDA {torch.version.cuda}"


def run_sweep(out: Path, gpu: Gpu) -> int:
    """Measure them; 0 where every job is ok or a skip with its reason, else 1."""
    asked = [json.dumps(request.to_dict()) for request in requests(gpu)]
    (out / "requests.jsonl").write_text("\n".join(asked) + "\n")
    code = measure_main([str(out / "requests.jsonl"), "--out", str(out / "records.jsonl")])
    return 1 if code else 0


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/gpu-check"))
    parser.add_argument("--part", choices=["claims", "sweep", "tests"])
    parser.add_argument("--kernel", action="append", default=[], help="claims of this one alone")
    parser.add_argument("--minutes", type=float, default=12.0, help="for the claims, at most")
    given = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print(f"error: torch {torch.__version__} sees no GPU here: nothing was checked.")
        return 2
    given.out.mkdir(parents=True, exist_ok=True)
    gpu = this_gpu()
    print(device_text(gpu), flush=True)
    codes = []
    if given.part in (None, "claims"):
        code = run_claims(given.out, gpu, given.kernel, given.minutes)
        codes.append(said("claims", code, given.out / "claims.md"))
    if given.part in (None, "sweep"):
        code = run_sweep(given.out, gpu)
        codes.append(said("sweep", code, given.out / "records.jsonl"))
    if given.part == "tests" or (given.part is None and importlib.util.find_spec("pytest")):
        code = run_tests(given.out)
        codes.append(said("tests", code, given.out / "tests.txt"))
    elif given.part is None:
        print("tests: not run, pytest isn't installed here")
    return 1 if 1 in codes else max(codes)


ENDED = {0: "passed", 1: "FAILED", 3: "not done: run it again, it goes on"}


def said(what: str, code: int, where: Path) -> int:
    """Print how a part ended; returns ``code``."""
    print(f"{what}: {ENDED.get(code, 'FAILED')} ({where})", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
