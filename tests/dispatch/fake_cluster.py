"""A real Ray cluster of several nodes on this machine, whose GPUs are fake."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

HEAD = {"num_cpus": 0, "num_gpus": 0, "include_dashboard": False, "object_store_memory": 80 << 20}
H100 = {"gpu-name": "NVIDIA-H100-80GB-HBM3", "gpu-memory-gib": "79.6"}
H100_PCIE = {"gpu-name": "NVIDIA-H100-PCIe", "gpu-memory-gib": "79.6"}
SLICE = H100 | {"gpu-slice": "MIG", "gpu-name": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"}
L4 = {"gpu-name": "NVIDIA-L4", "gpu-memory-gib": "22.5"}


MARK = "ATTNBENCH_TEST_CLUSTER"
"""Names the cluster in the environment of every process of it."""


def started() -> Cluster:
    """A head without any device, whose processes (and those of its nodes) bear a new mark."""
    os.environ[MARK] = secrets.token_hex(8)
    return Cluster(initialize_head=True, head_node_args=HEAD)


def actors() -> list[int]:
    """Processes of the actors that own a board of the cluster started last."""
    mark, found = f"{MARK}={os.environ[MARK]}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has just ended
                if b"ray::FakeWorker" in (entry / "cmdline").read_bytes():
                    found += [int(entry.name)] * (mark in (entry / "environ").read_bytes())
    return sorted(found)


def add(cluster: Cluster, gpus: int, labels: dict[str, str] = H100, **more: Any) -> Any:
    """A node with fake GPUs."""
    return cluster.add_node(
        num_cpus=1, num_gpus=gpus, labels=labels, object_store_memory=80 << 20, **more
    )
