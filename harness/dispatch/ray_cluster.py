"""Ray: an embedded one on this machine, or a running cluster; and the devices that it has.

Facts behind it (FIELD.md §13): a plain ``ray.init()`` joins whatever head is running, so the
address is always given; an infeasible placement hangs without a word, so nodes are looked at first.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import DispatchError
from harness.hardware import identify
from harness.model import Gpu
from harness.model.gpu import CPU

DESCRIBE_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 10.0
HEAD_TIMEOUT_S = 2.0
ACCELERATOR_LABEL = "ray.io/accelerator-type"
"""Ray's own label of a node with an accelerator (docs.ray.io, on labels)."""


@dataclass(frozen=True)
class Place:
    """Where an actor is put: one GPU of a node, or its processor."""

    node_id: str
    """Ray's id of the node."""
    host: str
    """Its name, for people."""
    number: int | None
    """Which of the node's GPUs, counted from 0 (Ray gives any free one); None: the processor."""


@dataclass
class Opening:
    """An actor that has been asked what it owns, and may not have answered yet."""

    place: Place
    actor: Any
    """Handle of its Worker."""
    said: Any
    """Reference to its answer."""


@dataclass
class Board:
    """One physical device and the actor that owns it."""

    name: str
    """For people: the node and the device. Unique in a cluster."""
    gpu: Gpu
    """Which model it is."""
    actor: Any
    """Handle of its Worker."""
    place: Place
    """Where it is."""
    uuid: str = ""
    """Of the GPU; "" for a processor."""


class WorkerGone(Exception):
    """An actor died before it answered."""


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

    def __init__(self, address: str | None, worker: type[Any] | None = None) -> None:
        """``address``: of a running cluster, or None to start an embedded Ray here.

        ``worker`` takes the place of ``ray_worker.Worker``.
        """
        if address is not None:
            _must_listen(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # Ray runs its workers at niceness 15, where any other process of the machine goes first:
        # a CPU's numbers were up to 10 times too long beside a busy neighbour.
        os.environ.setdefault("RAY_worker_niceness", "0")
        import ray

        from harness.dispatch.ray_worker import Worker

        self._ray = ray
        self._worker = worker or Worker
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
        self.others: set[str] = set()
        """Ray's names of GPUs that nobody wanted, for messages."""
        self.head: str = ray.get_runtime_context().gcs_address

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes that are alive, as Ray describes them."""
        return [node for node in self._ray.nodes() if node["Alive"]]

    def answers(self) -> bool:
        """Whether the head still listens. (Ray ends this process a minute after it has gone.)"""
        host, _, port = self.head.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=HEAD_TIMEOUT_S):
                return True
        except OSError:
            return False

    def places(
        self, *, gpus: bool, cpus: bool, labels: Collection[str] = frozenset()
    ) -> list[Place]:
        """Every GPU of every node, and every node's processor.

        ``labels``: Ray's names of the GPUs that are wanted. A node that bears another has none of
        them; one that bears none (consumer boards) is asked, as is any if ``labels`` is empty.
        """
        found = []
        for node in self.nodes():
            node_id, host = node["NodeID"], node["NodeManagerHostname"]
            if gpus:
                count = int(node["Resources"].get("GPU", 0))
                named = node.get("Labels", {}).get(ACCELERATOR_LABEL, "")
                if labels and named and named not in labels:
                    self.others.add(named)
                    continue
                found += [Place(node_id, host, number) for number in range(count)]
            if cpus:
                found.append(Place(node_id, host, None))
        return found

    def open(self, place: Place) -> Opening:
        """Start an actor there and ask it what it owns. Where the GPU is taken, it waits for it."""
        actor = self._actor(place)
        return Opening(place, actor, actor.describe.remote())

    def _actor(self, place: Place) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        where = NodeAffinitySchedulingStrategy(place.node_id, soft=False)
        gpus = 0 if place.number is None else 1
        options = {"num_cpus": 0, "num_gpus": gpus, "scheduling_strategy": where}
        actor: Any = self._ray.remote(self._worker).options(**options).remote()
        return actor

    def board(self, opening: Opening, known: Mapping[str, Gpu], timeout_s: float = 0.0) -> Board:
        """The board behind an opening that has answered (or does within ``timeout_s``).

        Raises:
            WorkerGone: the actor died, or did not answer.
            DispatchError: its node has other versions than this driver.
        """
        place = opening.place
        try:
            theirs, device = self._ray.get(opening.said, timeout=timeout_s or None)
        except self._ray.exceptions.RayTaskError as error:
            raise DispatchError(f"the worker on node {place.host} failed: {error.cause}") from error
        except self._ray.exceptions.RayError as error:
            raise WorkerGone(str(error).splitlines()[0]) from error
        self._must_match(place, theirs)
        if device is None:
            return Board(f"{place.host} CPU{self._which(place)}", known[CPU], opening.actor, place)
        gpu = identify(device, known)
        name = f"{place.host} GPU {device.index}{self._which(place)}"
        return Board(name, gpu, opening.actor, place, device.uuid)

    def _must_match(self, place: Place, theirs: Mapping[str, str]) -> None:
        """Raise DispatchError where a node has other versions than this driver."""
        from harness.dispatch.ray_worker import versions

        for what, mine in versions().items():
            if theirs[what] != mine:
                raise DispatchError(
                    f"node {place.host} has {what} {theirs[what]}, this driver {mine}: "
                    "install the same on both"
                )

    def _which(self, place: Place) -> str:
        """Part of a Ray node's id, where several of them are on one host."""
        same = [n for n in self.nodes() if n["NodeManagerHostname"] == place.host]
        return f" ({place.node_id[:6]})" if len(same) > 1 else ""

    def boards(self, known: Mapping[str, Gpu], *, with_cpus: bool) -> list[Board]:
        """An actor on every GPU of the cluster, and with ``with_cpus`` one on every node's CPU.

        ``known`` are the models that a device can be recognised as. Raises DispatchError if a node
        has other versions than this driver, or starts no worker within DESCRIBE_TIMEOUT_S.
        """
        openings = [self.open(place) for place in self.places(gpus=True, cpus=with_cpus)]
        try:
            return [self.board(opening, known, DESCRIBE_TIMEOUT_S) for opening in openings]
        except WorkerGone as error:
            raise DispatchError(
                f"no worker could be started: {error}; is attnbench installed on every node?"
            ) from error

    def busy(self, place: Place) -> bool:
        """Whether all GPUs of a place's node are taken, by other sweeps or other work."""
        from ray._private.state import available_resources_per_node

        if place.number is None:
            return False
        return float(available_resources_per_node().get(place.node_id, {}).get("GPU", 0)) < 1

    def health(self) -> list[dict[str, Any]]:
        """Every node that the cluster has had: host, state, GPUs, how many are free, and Ray's
        name of them."""
        from ray._private.state import available_resources_per_node

        free = available_resources_per_node()
        return [
            {
                "host": node["NodeManagerHostname"],
                "id": node["NodeID"],
                "state": "alive" if node["Alive"] else "dead",
                "gpus": int(node["Resources"].get("GPU", 0)),
                "free": int(free.get(node["NodeID"], {}).get("GPU", 0)),
                "accelerator": node.get("Labels", {}).get(ACCELERATOR_LABEL, ""),
            }
            for node in self._ray.nodes()
        ]

    def kill(self, actor: Any) -> None:
        """End an actor; its children die with it."""
        self._ray.kill(actor)

    def gpus(self, known: Mapping[str, Gpu]) -> list[Gpu]:
        """Every distinct GPU of the cluster (its CPUs only where it has no GPU).

        Nodes are asked without taking their GPUs, which other sweeps may have in hand. Raises
        DispatchError where a node that has one starts no worker or has other versions.
        """
        asked = []
        for node in self.nodes():
            if node["Resources"].get("GPU", 0):
                place = Place(node["NodeID"], node["NodeManagerHostname"], None)
                actor = self._actor(place)
                asked.append((place, actor, actor.survey.remote()))
        distinct: dict[str, Gpu] = {}
        for place, actor, said in asked:
            try:
                theirs, devices = self._ray.get(said, timeout=DESCRIBE_TIMEOUT_S)
            except self._ray.exceptions.RayError as error:
                raise DispatchError(
                    f"no worker could be started on node {place.host}: "
                    f"{str(error).splitlines()[0]}; is attnbench installed there?"
                ) from error
            self.kill(actor)
            self._must_match(place, theirs)
            for gpu in (identify(device, known) for device in devices):
                distinct.setdefault(gpu.name, gpu)
        if not distinct:
            distinct = {CPU: known[CPU]}
        return list(distinct.values())

    def close(self) -> None:
        """Leave the cluster, or end the embedded Ray."""
        self._ray.shutdown()
