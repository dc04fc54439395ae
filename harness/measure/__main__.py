"""Measure on a bare machine, without Ray, Hydra or a database.

    attnbench plan … --format requests > requests.jsonl      (where attnbench is installed)
    python -m harness.measure requests.jsonl --out records.jsonl

Each line of the first file is a Request, each line of the second a Record, written as soon as it
is measured. Started again, it measures what is not in the second file yet. Needs torch, numpy and
yaml. Exit codes: 0 done, 1 some jobs failed, 2 wrong usage or a failure of the tool, 130
interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from harness.errors import AttnbenchError
from harness.measure.request import Request
from harness.measure.supervisor import Supervisor
from harness.model import Record, Status

FINE = (Status.OK, Status.SKIPPED)
"""What doesn't make the exit code 1, here as in ``attnbench run``."""


def _read_requests(path: Path) -> list[Request]:
    requests = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            requests.append(Request.from_dict(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            raise AttnbenchError(f"{path}, line {number} is not a request: {error}") from error
    return requests


def _identity(record: Request | Record) -> tuple[str, str, int, int]:
    key = record.job.key if isinstance(record, Request) else record.job_key
    return record.sweep_id, key, record.launch, record.attempt


def measure_file(requests_path: Path, out: Path) -> int:
    """Measure what is missing in ``out``; how many of ``out``'s records are failures."""
    done = set()
    failures = 0
    if out.exists():
        lines = out.read_text().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        if len(whole) != len(lines):  # an earlier run was stopped in the middle of a line
            out.write_text("".join(whole))
        earlier = [Record.from_dict(json.loads(line)) for line in whole]
        done = {_identity(record) for record in earlier}
        failures = sum(record.status not in FINE for record in earlier)
    requests = [r for r in _read_requests(requests_path) if _identity(r) not in done]
    supervisors: dict[str, Supervisor] = {}
    try:
        with out.open("a") as file:
            for number, request in enumerate(requests, 1):
                gpu = request.job.gpu
                if gpu.name not in supervisors:
                    supervisors[gpu.name] = Supervisor(gpu)
                record = supervisors[gpu.name].measure(request)
                file.write(json.dumps(record.to_dict()) + "\n")
                file.flush()
                failures += record.status not in FINE
                speed = f"{record.median_ms:.4g} ms" if record.median_ms else record.reason
                what = f"{request.job.kernel.name} {request.job.problem.summary()}"
                print(f"[{number}/{len(requests)}] {what}: {record.status} {speed}", flush=True)
    finally:
        for supervisor in supervisors.values():
            supervisor.close()
    return failures


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness.measure", description=__doc__)
    parser.add_argument("requests", type=Path, help="a file with one Request a line (JSON)")
    parser.add_argument("--out", type=Path, required=True, help="where Records go (JSON lines)")
    given = parser.parse_args(arguments)
    try:
        if not given.requests.is_file():
            raise AttnbenchError(f"no file {given.requests}")
        failures = measure_file(given.requests, given.out)
    except AttnbenchError as error:
        print(f"attnbench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"attnbench: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
