"""Ray: an embedded one on this machine, or a running cluster; and the devices that it has.

Facts behind it (FIELD.md §13): a plain ``ray.init()`` joins whatever head is running, so the
address is always given; an infeasible placement hangs without a word, so nodes are looked at first.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import DispatchError
from harness.hardware import identify
from harness.model import Gpu
from harness.model.gpu import CPU

DESCRIBE_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 10.0


@dataclass
class Board:
    """One physical device and the actor that owns it."""

    name: str
    """For people: the node and the device."""
    gpu: Gpu
    """Which model it is."""
    actor: Any
    """Handle of its Worker."""
    node_id: str
    """Ray's id of its node."""


def _must_listen(address: str) -> None:
    """Raise DispatchError unless somebody listens there: Ray itself tries for over five minutes."""
    found = re.fullmatch(r"(?:ray://)?\[?([^\[\]]+)\]?:(\d+)", address)
    if found is None:
        if address == "auto":
            return  # Ray knows where the head of this machine is, or says at once that none is
        raise DispatchError(f"cluster.address={address}: give the head's host:port, or auto")
    try:
        with socket.create_connection((found[1], int(found[2])), timeout=CONNECT_TIMEOUT_S):
            return
    except (OSError, OverflowError) as error:
        raise DispatchError(
            f"can't reach the Ray cluster at {address}: {error}; is its head up, and its port open "
            "to this machine?"
        ) from error


class RayCluster:
    """A connection to Ray. One per driver process; ``close`` ends it."""

    def __init__(self, address: str | None) -> None:
        """``address``: of a running cluster, or None to start an embedded Ray here."""
        if address is not None:
            _must_listen(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # Ray runs its workers at niceness 15, where any other process of the machine goes first:
        # a CPU's numbers were up to 10 times too long beside a busy neighbour.
        os.environ.setdefault("RAY_worker_niceness", "0")
        import ray

        self._ray = ray
        self.address = address
        quiet: dict[str, Any] = {
            "log_to_driver": False,
            "logging_level": "ERROR",
            "configure_logging": True,
        }
        try:
            if address is None:
                ray.init(address="local", include_dashboard=False, **quiet)
            else:
                ray.init(address=address, **quiet)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            where = "an embedded Ray" if address is None else f"the Ray cluster at {address}"
            raise DispatchError(f"can't reach {where}: {error}") from error

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _actor(self, node: dict[str, Any], gpus: int) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from harness.dispatch.ray_worker import Worker

        where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        options = {"num_cpus": 0, "num_gpus": gpus, "scheduling_strategy": where}
        return self._ray.remote(Worker).options(**options).remote()

    def boards(self, known: Mapping[str, Gpu], *, with_cpus: bool) -> list[Board]:
        """An actor on every GPU of the cluster, and with ``with_cpus`` one on every node's CPU.

        ``known`` are the models that a device can be recognised as. Raises DispatchError if a node
        has other versions than this driver.
        """
        found: list[tuple[dict[str, Any], Any]] = []
        for node in self._nodes():
            for _ in range(int(node["Resources"].get("GPU", 0))):
                found.append((node, self._actor(node, 1)))
            if with_cpus:
                found.append((node, self._actor(node, 0)))
        boards = []
        for node, actor in found:
            device = self._describe(node, actor)
            gpu = identify(device, known) if device is not None else known[CPU]
            what = f"GPU {device.index}" if device is not None else "CPU"
            name = f"{node['NodeManagerHostname']} {what}"
            boards.append(Board(name, gpu, actor, node["NodeID"]))
        return boards

    def _describe(self, node: dict[str, Any], actor: Any) -> Any:
        from harness.dispatch.ray_worker import versions

        host = node["NodeManagerHostname"]
        try:
            theirs, device = self._ray.get(actor.describe.remote(), timeout=DESCRIBE_TIMEOUT_S)
        except self._ray.exceptions.RayError as error:
            raise DispatchError(
                f"no worker could be started on node {host}: {error}".splitlines()[0]
                + "; is attnbench installed there?"
            ) from error
        for what, mine in versions().items():
            if theirs[what] != mine:
                raise DispatchError(
                    f"node {host} has {what} {theirs[what]}, this driver {mine}: "
                    "install the same on both"
                )
        return device

    def reopen(self, board: Board) -> Board | None:
        """A fresh actor for a board whose actor was lost; None if its node is gone."""
        for node in self._nodes():
            if node["NodeID"] == board.node_id:
                actor = self._actor(node, 0 if board.gpu.kind == "cpu" else 1)
                return Board(board.name, board.gpu, actor, board.node_id)
        return None

    def release(self, board: Board) -> None:
        """End a board's actor; its children die with it."""
        self._ray.kill(board.actor)

    def gpus(self, known: Mapping[str, Gpu]) -> list[Gpu]:
        """Every distinct GPU of the cluster (its CPUs only where it has no GPU)."""
        boards = self.boards(known, with_cpus=False)
        for board in boards:
            self.release(board)
        distinct = {board.gpu.name: board.gpu for board in boards}
        if not distinct:
            distinct = {CPU: known[CPU]}
        return list(distinct.values())

    def close(self) -> None:
        """Leave the cluster, or end the embedded Ray."""
        self._ray.shutdown()
