"""Plan: the jobs that would run, and what is skipped with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.model.gpu import Gpu
from harness.model.identity import cell_key
from harness.model.kernel import Kernel
from harness.model.problem import Problem
from harness.model.timing import Timing


@dataclass(frozen=True)
class Job:
    """One cell of the matrix: a kernel on a problem on a GPU, timed in one mode."""

    kernel: Kernel
    """The implementation."""
    problem: Problem
    """What it computes."""
    gpu: Gpu
    """The GPU asked for."""
    timing: Timing
    """How it is measured; its mode is part of the key."""
    workload: str = ""
    """Name of the workload config the problem came from, a label."""
    experiment: str = ""
    """Name of the experiment, a label."""

    @cached_property
    def key(self) -> str:
        """The same on every machine, for ever: kernel id, problem, GPU name, timing mode."""
        return cell_key(self.kernel.id, self.problem.key, "gpu", self.gpu.name, self.timing.mode)

    def series_key(self, device_model: str) -> str:
        """The job with the model that ran it in place of the GPU asked for."""
        return cell_key(self.kernel.id, self.problem.key, "device", device_model, self.timing.mode)

    def to_dict(self) -> dict[str, Any]:
        """Everything a worker needs; ``from_dict`` is the inverse (without the kernel's limits)."""
        return {
            "kernel": self.kernel.to_dict(),
            "problem": self.problem.to_dict(),
            "gpu": self.gpu.to_dict(),
            "timing": self.timing.to_dict(),
            "workload": self.workload,
            "experiment": self.experiment,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Job:
        """Inverse of ``to_dict``."""
        return cls(
            kernel=Kernel.from_dict(data["kernel"]),
            problem=Problem.from_dict(data["problem"]),
            gpu=Gpu.from_dict(data["gpu"]),
            timing=Timing.from_dict(data["timing"]),
            workload=data.get("workload", ""),
            experiment=data.get("experiment", ""),
        )


@dataclass(frozen=True)
class Skip:
    """A cell that will not run."""

    job: Job
    """The cell."""
    reason: str
    """Why, in words for people."""


@dataclass(frozen=True)
class Plan:
    """What a sweep will do."""

    jobs: tuple[Job, ...]
    """Cells to run, each once a launch."""
    skips: tuple[Skip, ...] = ()
    """Cells that can't run, with reasons."""
    excluded: int = 0
    """Cells the experiment's ``exclude`` left out."""
    name: str = ""
    """The experiment's name, "" for an ad-hoc matrix."""

    @property
    def launches(self) -> int:
        """Rounds of the sweep: the most that any of its jobs asks for."""
        return max((job.timing.launches for job in self.jobs), default=0)
