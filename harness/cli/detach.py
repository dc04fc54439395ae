"""``attnbench run --detach``: the sweep as a job of the cluster, which outlives this terminal.

Ray Jobs runs the same command on the head node, beside the cluster. The store must be one that the
head can reach: a SQLite file would be on its disk. Its password never travels: what a job is given
is shown to whoever may see the cluster, so the head has it already (ATTNBENCH_STORE, ~/.pgpass).
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

from harness.cli.common import split_resume, user_kernel_dirs
from harness.errors import ConfigError, DispatchError
from harness.masking import masked
from harness.plan.planned import ClusterSettings
from harness.plan.planner import settings_of

DASHBOARD_PORT = 8265
"""Where Ray Jobs listens by default."""
API_VARIABLE = "RAY_API_SERVER_ADDRESS"
"""Ray's own name for that address (docs.ray.io, Ray Jobs CLI)."""


def detach_command(
    given: list[str],
    multirun: bool,
    kernels: list[Path],
    report: Path | None,
    cfg: str | None,
    log: str | None,
) -> int:
    """Body of ``attnbench run --detach``; returns the exit code."""
    for option, value in (("--report", report), ("--cfg", cfg), ("--log", log)):
        if value is not None:
            raise ConfigError(f"{option} has no effect with --detach: the sweep runs on the head")
    if user_kernel_dirs(kernels):
        raise ConfigError(
            "--kernels names a folder of this machine: with --detach, put it on the cluster's "
            "nodes and name it there by ATTNBENCH_KERNELS"
        )
    overrides, _ = split_resume(given)
    store, cluster = settings_of(overrides, multirun=multirun)
    if store.url.startswith("sqlite") or "://" not in store.url:
        raise ConfigError(
            "--detach needs store=postgres: a SQLite file would be written on the cluster's head, "
            "out of your sight"
        )
    command = entrypoint(given, multirun)
    job = _submit(jobs_address(cluster), command)
    print(f"submitted as {job}: {command}")
    print(f"attnbench status · attnbench cancel last · ray job logs {job} --follow")
    return 0


def entrypoint(given: list[str], multirun: bool) -> str:
    """The command that the job runs. Raises ConfigError where it would show a password."""
    kept = [word for word in given if not word.startswith("cluster.address=")]
    if not any(word.startswith("cluster=") for word in kept):
        kept.append("cluster=address")
    words = ["attnbench", "run", *(["-m"] if multirun else []), *kept, "cluster.address=auto"]
    command = shlex.join(words)
    if masked(command) != command:
        raise ConfigError(
            "a password on the command line would be shown to everybody who sees the cluster's "
            "jobs: give it to the head as ATTNBENCH_STORE or in its ~/.pgpass, and leave it out"
        )
    return command


def jobs_address(cluster: ClusterSettings) -> str:
    """Where the cluster takes jobs. Raises ConfigError where it can't be told."""
    named = os.environ.get(API_VARIABLE)
    if named:
        return named
    found = re.fullmatch(r"(?:ray://)?(\[[^\]]+\]|[^:/\s]+):\d+", cluster.address or "")
    if found is None:
        raise ConfigError(
            f"--detach needs cluster.address=HOST:PORT of a running cluster, or {API_VARIABLE}="
            f"http://HOST:{DASHBOARD_PORT}"
        )
    return f"http://{found[1]}:{DASHBOARD_PORT}"


def _submit(address: str, command: str) -> str:
    """The id of the job. Raises DispatchError."""
    try:
        from ray.job_submission import JobSubmissionClient

        client = JobSubmissionClient(address)
        return str(client.submit_job(entrypoint=command, metadata={"tool": "attnbench"}))
    except ImportError as error:
        raise DispatchError(
            f"Ray Jobs needs more of Ray than is installed ({error}): "
            f"{sys.executable} -m pip install 'attnbench[jobs]'"
        ) from error
    except (ConnectionError, RuntimeError) as error:
        raise DispatchError(
            f"Ray Jobs at {address} does not take the sweep: {masked(str(error).splitlines()[0])}"
        ) from error
