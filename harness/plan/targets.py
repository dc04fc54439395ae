"""Targets: which real GPUs a ``gpu=`` option stands for, here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep

from harness.config import catalog
from harness.config.catalog import Found
from harness.errors import ConfigError, DispatchError
from harness.hardware import boards, local_gpus, local_targets, usable_cores
from harness.model import Gpu
from harness.model.gpu import CPU
from harness.plan.planned import ClusterSettings

ClusterGpus = Callable[[str | None], list[Gpu]]
"""The GPU models (or ``cpu``, where it has none) of the cluster at an address; contacts Ray."""

LOOK_S = 2.0
"""How often a cluster is asked again for a GPU that may join."""
ELSEWHERE = "none"
"""The dispatcher of a plan that another machine carries out: nothing here need have its GPU."""


class Targets:
    """Resolves GPU options; asks this machine or the cluster only when one needs it, once."""

    def __init__(self, cluster: ClusterSettings, cluster_gpus: ClusterGpus | None) -> None:
        self._cluster = cluster
        self._ask = cluster_gpus
        self._known: Found[Gpu] = catalog.gpus()
        self._local: list[Gpu] | None = None
        self._remote: list[Gpu] | None = None

    @property
    def here(self) -> bool:
        """Whether the jobs run on this machine."""
        return self._cluster.address is None and not self._elsewhere

    @property
    def _elsewhere(self) -> bool:
        return self._cluster.dispatcher == ELSEWHERE

    def of(self, gpu: Gpu) -> tuple[Gpu, ...]:
        """The GPUs that one option stands for. Raises DispatchError where there is none."""
        if self._elsewhere:
            if gpu.name in ("all", "local"):
                raise ConfigError(
                    f"cluster={self._cluster.name} measures on a machine that this one can't ask: "
                    "name its GPU (attnbench list gpus), e.g. gpu=h100"
                )
            return (gpu,)
        if gpu.name == "all":
            return tuple(self._present())
        if gpu.name == "local":
            return tuple(self._matching_local(gpu))
        if gpu.kind == CPU:
            return (gpu,)
        deadline = monotonic() + (0.0 if self.here else self._cluster.wait_s)
        while True:
            present = self._present()
            if any(one.name == gpu.name for one in present):
                return (gpu,)
            if monotonic() >= deadline:
                raise DispatchError(self._missing(gpu.name, present))
            sleep(min(LOOK_S, self._cluster.wait_s))
            self._remote = None  # nodes may have joined

    def _matching_local(self, asked: Gpu) -> list[Gpu]:
        if self._local is None:
            self._local = local_targets(self._known)
        if asked.threads is None:
            return self._local
        return [_with_threads(gpu, asked.threads) for gpu in self._local]

    def _present(self) -> list[Gpu]:
        if self.here:
            return local_gpus(self._known) or [self._known.get(CPU, Gpu(CPU, kind=CPU))]
        if self._remote is None:
            if self._ask is None:
                raise ConfigError(
                    f"cluster.address={self._cluster.address}: this command can't ask a cluster"
                )
            self._remote = self._ask(self._cluster.address)
            if not self._remote:
                raise DispatchError(f"the cluster at {self._cluster.address} has no devices")
        return self._remote

    def _missing(self, name: str, present: list[Gpu]) -> str:
        if not self.here:
            names = ", ".join(gpu.name for gpu in present)
            waited = f" after {self._cluster.wait_s:g} s" if self._cluster.wait_s else ""
            return (
                f"no node of the cluster at {self._cluster.address} has a {name}{waited}; it has "
                f"{names}. cluster.wait_s=SECONDS waits for one to join"
            )
        found = ", ".join(sorted({board.name for board in boards()})) or "no GPU"
        return (
            f"gpu={name}: this machine has {found} and a CPU of {usable_cores()} cores. "
            "Use gpu=local, gpu=cpu, or cluster.address=… of a cluster that has one."
        )


def _with_threads(gpu: Gpu, threads: int) -> Gpu:
    return Gpu.from_dict({**gpu.to_dict(), "threads": threads}) if gpu.kind == CPU else gpu
