"""The Ray actor that owns one device. It never touches CUDA: its supervisor's children do."""

from __future__ import annotations

import platform

import ray

import harness
from harness.errors import DispatchError
from harness.hardware import Board, boards
from harness.measure.request import Request
from harness.measure.supervisor import Supervisor
from harness.model import Gpu, Record


def versions() -> dict[str, str]:
    """What must be the same on the driver and on every worker."""
    return {
        "attnbench": harness.__version__,
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "Ray": ray.__version__,
    }


class Worker:
    """One device of the cluster, and the supervisor that measures on it."""

    def __init__(self) -> None:
        self._supervisor: Supervisor | None = None

    def describe(self) -> tuple[dict[str, str], Board | None]:
        """Its versions, and the GPU that Ray gave it (None: it is a CPU's worker)."""
        given = [str(index) for index in ray.get_gpu_ids()]
        if not given:
            return versions(), None
        # Ray has narrowed CUDA_VISIBLE_DEVICES to the one GPU that it gave.
        for board in boards():
            return versions(), board
        raise DispatchError(
            f"Ray gave this worker GPU {given[0]}, which neither NVML nor amdgpu shows"
        )

    def survey(self) -> tuple[dict[str, str], list[Board]]:
        """Its versions, and every GPU of its node, whoever has it in hand."""
        return versions(), boards()

    def open(self, gpu: Gpu) -> None:
        """Become the worker of ``gpu``."""
        self._supervisor = Supervisor(gpu)

    def measure(self, request: Request) -> Record:
        """One attempt. Raises MeasureError only for the harness's own faults."""
        if self._supervisor is None:
            raise DispatchError("measure was called before open")
        return self._supervisor.measure(request)

    def close(self) -> None:
        """End the supervisor's processes."""
        if self._supervisor is not None:
            self._supervisor.close()
