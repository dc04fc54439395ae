"""``attnbench selftest``: measure kernels against themselves, and say what this machine can see."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.analysis.selftest import AGAIN, LEAST_EFFECT, POWER, Selftest, assess
from harness.cli.common import open_dispatcher, plan_with_cluster, user_kernel_dirs
from harness.cli.progress import SweepProgress, progress_console
from harness.cli.run import INTERRUPTED, stopping_on_signals
from harness.dispatch.base import Finished
from harness.dispatch.rounds import requests_in_rounds
from harness.errors import ConfigError
from harness.measure.request import Request
from harness.measure.revision import harness_commit, kernel_revision
from harness.model import Job, Record, median, new_sweep_id
from harness.plan import Planned

MATRIX = (
    "kernel=sdpa_math,sdpa_flash",
    "workload=gpt2",
    "workload.seq_len=128,256,512",
    "dtype=bf16",
)
"""Six cells that any CPU and any GPU since 2020 can run; an override of the same name replaces."""
NOT_ENOUGH = 3
MORE_LAUNCHES = (5, 10)
BUSY_SHARE = 0.25
"""More load than this a processor, beside the harness's own, disturbs a measurement."""


def selftest_command(given: list[str], kernels: list[Path], format: str) -> int:
    """Body of ``attnbench selftest``; returns the exit code."""
    load = os.getloadavg()[0]
    named = {override.split("=", 1)[0].lstrip("+~") for override in given}
    defaults = [] if "experiment" in named else MATRIX
    overrides = [o for o in defaults if o.split("=", 1)[0] not in named] + given
    with plan_with_cluster(overrides, True, user_kernel_dirs(kernels)) as (planned, cluster):
        requests = _twice(planned)
        dispatcher = open_dispatcher(planned, cluster)
        records: list[Record] = []
        with (
            SweepProgress(len(requests), 0, progress_console()) as progress,
            stopping_on_signals(dispatcher),
        ):
            try:
                for event in dispatcher.run(requests):
                    if isinstance(event, Finished) and event.final:
                        records.append(event.record)
                    progress.listen(event)
            finally:
                dispatcher.close()
    if len(records) < len(requests):
        print("attnbench: interrupted; a self-test is short enough to start again", file=sys.stderr)
        return INTERRUPTED
    found = assess(records)
    hints = _hints(found, records, load)
    if format == "json":
        print(json.dumps(_as_dict(found, hints)))
    else:
        _print(found, hints)
    if not found.twins or found.misleads or found.problems:
        return 1
    return NOT_ENOUGH if found.too_noisy else 0


def _twice(planned: Planned) -> list[Request]:
    """Every job and its twin, which differs in the kernel's name alone. Raises ConfigError."""
    jobs = planned.plan.jobs
    if planned.cluster.dispatcher == "inline":
        raise ConfigError("selftest needs a fresh process for each launch: not cluster=inline")
    few = [job.timing.launches for job in jobs if job.timing.launches < 2]
    if few:
        raise ConfigError(
            f"selftest compares launches, so timing.launches must be 2 or more, not {few[0]}"
        )
    both = [*jobs, *map(_twin, jobs)]
    revisions = {}
    for job in both:
        if job.kernel.name not in revisions:
            revisions[job.kernel.name] = kernel_revision(job.kernel)
    return requests_in_rounds(both, new_sweep_id(), revisions, harness_commit())


def _twin(job: Job) -> Job:
    twin = dataclasses.replace(job.kernel, name=job.kernel.name + AGAIN)
    return dataclasses.replace(job, kernel=twin)


def _hints(found: Selftest, records: Sequence[Record], load_before: float) -> list[str]:
    """What would make this machine quieter, from what the records say of it."""
    hints = []
    cores = os.cpu_count() or 1
    if load_before > BUSY_SHARE * cores:
        hints.append(
            f"other work was running (load {load_before:.1f} on {cores} processors before it "
            "began): stop it, or measure when it is through"
        )
    conditions = [dict(record.conditions) for record in records]
    governors = {str(c["governor"]) for c in conditions if c.get("governor")} - {"performance"}
    if governors:
        hints.append(
            f"the processor's clock follows its load (governor {', '.join(sorted(governors))}): "
            "cpupower frequency-set -g performance"
        )
    flags = sorted({flag for record in records for flag in record.flags})
    if flags:
        hints.append(f"samples were flagged: {', '.join(flags)}")
    if found.twins and found.detectable(found.launches) > LEAST_EFFECT:
        enough = found.launches_for(LEAST_EFFECT)
        more = "more than 50" if enough is None else str(enough)
        hints.append(
            f"more launches: {more} a cell would show {LEAST_EFFECT:.0%} (timing.launches=…, "
            "timing=precise)"
        )
    return hints


def _as_dict(found: Selftest, hints: list[str]) -> dict[str, object]:
    return {
        "cells": [
            dataclasses.asdict(twin)
            | {"difference": twin.difference, "called_different": twin.called_different}
            for twin in found.twins
        ],
        "launches": found.launches,
        "called_different": found.called_different,
        "single_launches_apart": found.alone[0],
        "single_launches": found.alone[1],
        "spread_within": found.within if found.twins else None,
        "spread_between": found.between if found.twins else None,
        "detectable": found.detectable(found.launches) if found.twins else None,
        "too_noisy": found.too_noisy if found.twins else None,
        "failed": list(found.problems),
        "hints": hints,
    }


def _print(found: Selftest, hints: list[str]) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for problem in found.problems:
        console.print(f"no number: {problem}")
    if not found.twins:
        console.print("nothing could be compared: no cell was measured under both names")
        return
    for device in dict.fromkeys(twin.device for twin in found.twins):
        console.print(_table(found, device))
    wrong, single = found.alone
    console.print(
        f"\ncalled different: {found.called_different} of {len(found.twins)} kernels from "
        f"themselves, by {found.launches} launches a name "
        f"(one launch alone: {wrong} of {single})"
    )
    console.print(f"spread within a launch:   ±{found.within:.1%}  (half the interquartile range)")
    console.print(f"spread between launches:  ±{found.between:.1%}  (standard deviation)")
    seen = [f"{_share(found.detectable(found.launches))} with {found.launches} launches"]
    seen += [f"{_share(found.detectable(n))} with {n}" for n in MORE_LAUNCHES if n > found.launches]
    console.print(f"a change it would see:    {', '.join(seen)}")
    console.print(f"\n{_verdict(found)}")
    for hint in hints:
        console.print(f"what would help: {hint}")


def _share(effect: float) -> str:
    return f"{effect:.1%}" if effect < 1 else f"a factor of {1 + effect:.1f}"


def _verdict(found: Selftest) -> str:
    effect = _share(found.detectable(found.launches))
    if found.misleads:
        return (
            f"NOT TO BE TRUSTED: {found.called_different} of {len(found.twins)} kernels came out "
            "different from themselves, more than chance explains"
        )
    if found.too_noisy:
        return f"TOO NOISY: a change of less than {effect} would often be missed here"
    return f"fit to compare kernels that differ by {effect} or more (found in {POWER:.0%} of cases)"


def _table(found: Selftest, device: str) -> Table:
    table = Table(title=device, title_justify="left", box=None, pad_edge=False)
    for heading in ("kernel", "problem"):
        table.add_column(heading, no_wrap=True)
    for heading in ("once, ms", "again, ms", "difference", "between", "within", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for twin in found.twins:
        if twin.device == device:
            table.add_row(
                twin.kernel,
                twin.problem,
                f"{median(twin.once_ms):.4g}",
                f"{median(twin.again_ms):.4g}",
                f"{twin.difference:+.1%}",
                f"±{twin.variance**0.5:.1%}",
                f"±{twin.within:.1%}",
                "called different" if twin.called_different else "",
            )
    return table
