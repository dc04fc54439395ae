"""Requests of a matrix of any size, made without composing configs."""

from __future__ import annotations

import random

from harness.config.catalog import gpus as gpus_known
from harness.dispatch.rounds import requests_in_rounds
from harness.measure.request import Request
from harness.model import Job, Kernel, Problem, Revision, Timing


def requests(
    problems: int, kernels: int = 3, launches: int = 2, gpus: tuple[str, ...] = ("h100",)
) -> list[Request]:
    """All requests of ``problems`` × ``kernels`` on each of ``gpus``, in the order to run."""
    some = [Kernel(f"kernel_{n}", "attention", "none.py") for n in range(kernels)]
    timing, known = Timing(launches=launches), gpus_known()
    jobs = [
        Job(kernel, _problem(16 * (n + 1)), known[gpu], timing)
        for gpu in gpus
        for n in range(problems)
        for kernel in some
    ]
    return requests_in_rounds(
        jobs, "simulated", dict.fromkeys((k.name for k in some), REVISION), ""
    )


REVISION = Revision("00" * 32)


def _problem(seq: int) -> Problem:
    return Problem(
        heads_q=8, heads_kv=8, seq_q=seq, seq_k=seq, head_dim_qk=64, head_dim_v=64, dtype="bf16"
    )


def durations(requests: list[Request], seed: int = 0) -> dict[str, float]:
    """Seconds of each job: spread over a factor of about fifty, as those of real matrices are."""
    draw = random.Random(seed)
    return {key: draw.lognormvariate(1.0, 1.0) for key in sorted({r.job.key for r in requests})}
