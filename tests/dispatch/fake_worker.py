"""The actor of a board that isn't there: it owns what its node's labels say, and measures nothing.

Everything else is real: Ray, its actors and nodes, the dispatcher, the driver, the store. Labels
of a node: ``gpu-name``, ``gpu-memory-gib``; a job's time is ``ATTNBENCH_FAKE_JOB_S``.
"""

from __future__ import annotations

import os
import socket
import time

import ray

from harness.dispatch.ray_worker import Worker, versions
from harness.hardware import Board
from harness.measure.request import Request
from harness.model import Device, Gpu, Record, Status
from tests.dispatch.simulated import measured

JOB_S = "ATTNBENCH_FAKE_JOB_S"


class FakeWorker(Worker):
    """See Worker."""

    def describe(self) -> tuple[dict[str, str], Board | None]:
        """The GPU that the labels of its node name; its UUID is the node's and Ray's number."""
        given = [int(index) for index in ray.get_gpu_ids()]
        return versions(), _board(given[0]) if given else None

    def survey(self) -> tuple[dict[str, str], list[Board]]:
        """One such GPU; the driver wants to know the models alone."""
        return versions(), [_board(0)]

    def open(self, gpu: Gpu) -> None:
        """No device is opened."""

    def measure(self, request: Request) -> Record:
        """A job that takes its time and finds nothing wrong; its log says which process it was."""
        seconds = float(os.environ.get(JOB_S, "0.01"))
        time.sleep(seconds)
        from dataclasses import replace

        record = measured(request, Status.OK, seconds, "here")
        (number,) = ray.get_gpu_ids() or (0,)
        node = ray.get_runtime_context().get_node_id()[:8]
        device = Device(request.job.gpu.name, "cuda", f"{node}-{number}", socket.gethostname())
        return replace(record, device=device, log=f"pid {os.getpid()}")


def _board(index: int) -> Board:
    context = ray.get_runtime_context()
    labels = context.get_node_labels()
    return Board(
        index=index,
        name=labels.get("gpu-name", "NVIDIA-H100-80GB-HBM3").replace("-", " "),
        memory_gib=float(labels.get("gpu-memory-gib", 80)),
        compute_capability=9.0,
        uuid=f"{labels.get('gpu-slice', 'GPU')}-{context.get_node_id()[:8]}-{index}",
    )
