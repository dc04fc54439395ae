"""What several commands share: kernel folders, the planned matrix, the store's address."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import AttnbenchError, ConfigError, KernelError

if TYPE_CHECKING:
    from harness.dispatch.base import Dispatcher
    from harness.dispatch.ray_cluster import RayCluster
    from harness.model import Gpu
    from harness.plan import Planned
    from harness.store import Store

KERNELS_VARIABLE = "ATTNBENCH_KERNELS"
STORE_VARIABLE = "ATTNBENCH_STORE"
DEFAULT_STORE = "results/attnbench.db"


def user_kernel_dirs(given: list[Path]) -> list[Path]:
    """Folders from ``--kernels`` and ATTNBENCH_KERNELS, absolute. Raises KernelError."""
    named = [Path(p) for p in os.environ.get(KERNELS_VARIABLE, "").split(os.pathsep) if p]
    folders = [folder.expanduser().resolve() for folder in [*given, *named]]
    for folder in folders:
        if not (folder / "conf" / "kernel").is_dir():
            raise KernelError(
                f"{folder} is no kernels folder: it needs *.py files and conf/kernel/*.yaml "
                "(CONTRIBUTING.md shows one)"
            )
    return list(dict.fromkeys(folders))


def store_url(given: str | None) -> str:
    """The store that a command without a config reads."""
    return given or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE


def confirmed(question: str, yes: bool) -> None:
    """Ask on the terminal, unless ``yes``. Raises AttnbenchError where the answer isn't yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise AttnbenchError(f"{question} Nobody can answer here: add --yes")
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise AttnbenchError("nothing was changed")


def split_resume(overrides: list[str]) -> tuple[list[str], str | None]:
    """Take ``resume=…`` out of the overrides: it says what to run of the matrix, not which."""
    rest, resume = [], None
    for override in overrides:
        if override.startswith("resume="):
            resume = override.removeprefix("resume=")
        else:
            rest.append(override)
    if resume == "":
        raise ConfigError("resume= needs a value: resume=true, or a sweep's id")
    return rest, None if resume == "false" else resume


@contextmanager
def plan_with_cluster(
    overrides: list[str], multirun: bool, folders: list[Path]
) -> Iterator[tuple[Planned, ClusterHandle]]:
    """The plan, and the way to the cluster, which is connected to only if something asks for it."""
    from harness.plan import build_plan

    handle = ClusterHandle()
    try:
        planned = build_plan(
            overrides, multirun=multirun, kernel_dirs=folders, cluster_gpus=handle.gpus
        )
        yield planned, handle
    finally:
        handle.close()


class ClusterHandle:
    """Connects to Ray on first use, once."""

    def __init__(self) -> None:
        self._cluster: RayCluster | None = None

    def connect(self, address: str | None) -> RayCluster:
        """The connection; ``address`` None starts an embedded Ray."""
        if self._cluster is None:
            from harness.dispatch.ray_cluster import RayCluster

            self._cluster = RayCluster(address)
        return self._cluster

    def gpus(self, address: str | None) -> list[Gpu]:
        """Every distinct GPU of the cluster."""
        from harness.config.catalog import gpus

        return self.connect(address).gpus(gpus())

    def close(self) -> None:
        """Leave the cluster, if it was connected to."""
        if self._cluster is not None:
            self._cluster.close()


def open_dispatcher(
    planned: Planned, handle: ClusterHandle, store: Store | None = None
) -> Dispatcher:
    """The dispatcher that the config names. Raises ConfigError where it names none.

    What ``store`` has of earlier sweeps tells how long a job takes and which board measured it.
    """
    if planned.cluster.dispatcher == "none":
        raise ConfigError(
            f"cluster={planned.cluster.name} measures on another machine: "
            "attnbench plan … --format requests writes what `python -m harness.measure` runs there"
        )
    if planned.cluster.dispatcher == "inline":
        from harness.dispatch.inline import InlineDispatcher

        return InlineDispatcher()
    from harness.config.catalog import gpus
    from harness.dispatch.forecast import Forecast
    from harness.dispatch.policy import RetryPolicy
    from harness.dispatch.ray_dispatcher import RayDispatcher

    conf = planned.cluster
    forecast = Forecast(planned.plan.jobs, store)
    return RayDispatcher(
        handle.connect(conf.address),
        gpus(),
        RetryPolicy(conf.retries, conf.crash_retries, conf.set_aside_after),
        wait_s=conf.wait_s,
        cost_s=forecast.cost_s,
        before=forecast.before,
    )
