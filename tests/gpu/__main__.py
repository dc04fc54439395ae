"""``make gpu-check``: everything that needs a GPU, with one command, on a bare box or a whole one.

    python -m tests.gpu [--out DIR] [--part tests|sweep]

Runs the tests marked ``gpu``, then measures every kernel that claims this GPU on every shipped
workload, in bf16, through the worker's own command. Needs torch with a GPU, numpy, yaml and pytest;
no Ray, Hydra or database. Leaves ``tests.txt``, ``requests.jsonl`` and ``records.jsonl`` in DIR; a
sweep that was stopped goes on where it was. Exit codes: 0 all is well, 1 a test or a job failed,
2 there is no GPU here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import torch

from harness.config import catalog
from harness.config.nouns import problem_of
from harness.config.paths import conf_dir
from harness.measure.__main__ import main as measure_main
from harness.measure.request import Request
from harness.measure.revision import kernel_revision
from harness.model import Gpu, Job
from tests.gpu.board import this_gpu

ROOT = conf_dir().parent
TESTS = ("tests/gpu", "tests/kernels")


def run_tests(out: Path) -> bool:
    """The tests marked gpu; whether they passed. Their output is shown and kept."""
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
    return run.returncode == 0


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


def run_sweep(out: Path, gpu: Gpu) -> bool:
    """Measure them; whether every job is ok or a skip with its reason."""
    asked = [json.dumps(request.to_dict()) for request in requests(gpu)]
    (out / "requests.jsonl").write_text("\n".join(asked) + "\n")
    return measure_main([str(out / "requests.jsonl"), "--out", str(out / "records.jsonl")]) == 0


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/gpu-check"))
    parser.add_argument("--part", choices=["tests", "sweep"])
    given = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print(f"error: torch {torch.__version__} sees no GPU here: nothing was checked.")
        return 2
    given.out.mkdir(parents=True, exist_ok=True)
    gpu = this_gpu()
    print(f"{torch.cuda.get_device_name(0)} ({gpu.name}), torch {torch.__version__}", flush=True)
    well = True
    if given.part != "sweep":
        well &= said("tests", run_tests(given.out), given.out / "tests.txt")
    if given.part != "tests":
        well &= said("sweep", run_sweep(given.out, gpu), given.out / "records.jsonl")
    return 0 if well else 1


def said(what: str, passed: bool, where: Path) -> bool:
    """Print how a part ended; returns ``passed``."""
    print(f"{what}: {'passed' if passed else 'FAILED'} ({where})", flush=True)
    return passed


if __name__ == "__main__":
    sys.exit(main())
