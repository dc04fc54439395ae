"""The order of a sweep: rounds of all jobs, shuffled by problem, kernels of a problem together.

Within a launch the problems come in a seeded random order, so that a drift of the machine doesn't
line up with an axis; the kernels of one problem stay neighbours, so that they are compared under
one state of the machine and share the oracle (DESIGN.md, decision 1).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence, Set

from harness.measure.request import Request
from harness.model import Job, Revision


def requests_in_rounds(
    jobs: Sequence[Job],
    sweep_id: str,
    revisions: dict[str, Revision],
    harness_commit: str,
    done: Set[tuple[str, int]] = frozenset(),
    attempts: Mapping[tuple[str, int], int] | None = None,
) -> list[Request]:
    """Every (job, launch) that is not in ``done``, in the order to run.

    ``revisions`` are by kernel name. A job has as many launches as its timing says. ``attempts``
    is how many attempts of a (job, launch) are stored already: the next one is counted from there.
    """
    tried = attempts or {}
    requests: list[Request] = []
    for launch in range(max((job.timing.launches for job in jobs), default=0)):
        groups: dict[tuple[str, str], list[Job]] = {}
        for job in jobs:
            if launch < job.timing.launches and (job.key, launch) not in done:
                groups.setdefault((job.gpu.name, job.problem.key), []).append(job)
        order = sorted(groups)
        shuffle = random.Random(f"{sweep_id}/{launch}")
        shuffle.shuffle(order)
        for key in order:
            group = sorted(groups[key], key=lambda job: job.key)
            shuffle.shuffle(group)
            requests += [
                Request(
                    sweep_id=sweep_id,
                    job=job,
                    revision=revisions[job.kernel.name],
                    launch=launch,
                    attempt=tried.get((job.key, launch), 0),
                    harness_commit=harness_commit,
                )
                for job in group
            ]
    return requests
