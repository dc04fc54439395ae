"""Measuring stored cells again: from their rows to jobs on this machine, and what runs them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.cli.common import open_dispatcher, plan_with_cluster, user_kernel_dirs
from harness.dispatch.base import Dispatcher
from harness.errors import ConfigError
from harness.model import Job


@contextmanager
def jobs_again(
    commands: Sequence[str], kernels: Sequence[Path], cluster: str
) -> Iterator[tuple[list[Job], Dispatcher]]:
    """The job of each command (those of ``results(commands=True)``), in their order, and a
    dispatcher of ``cluster`` (an option of conf/cluster). ``kernels`` are folders that replace the
    ones which the commands name.

    Raises:
        ConfigError: a command's cell can't be run here; the reason says why.
    """
    jobs: list[Job] = []
    with plan_with_cluster(*_arguments(commands[0], kernels, cluster)) as (first, handle):
        for command in commands:
            overrides, multirun, folders = _arguments(command, kernels, cluster)
            with plan_with_cluster(overrides, multirun, folders) as (planned, _):
                if planned.plan.skips:
                    skip = planned.plan.skips[0]
                    what = f"{skip.job.kernel.name} {skip.job.problem.summary()}"
                    raise ConfigError(f"{what} can't be measured here: {skip.reason}")
                jobs += planned.plan.jobs
        dispatcher = open_dispatcher(first, handle)
        try:
            yield jobs, dispatcher
        finally:
            dispatcher.close()


def _arguments(
    command: str, kernels: Sequence[Path], cluster: str
) -> tuple[list[str], bool, list[Path]]:
    words = shlex.split(command)[2:]  # attnbench run
    folders = list(kernels)
    while words and words[0] == "--kernels":
        if not kernels:
            folders.append(Path(words[1]))
        words = words[2:]
    return [*words, f"cluster={cluster}"], False, user_kernel_dirs(folders)
