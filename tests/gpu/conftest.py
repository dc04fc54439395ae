"""Every test of this folder needs a GPU: it is marked so, and skips with its reason elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from harness.config.catalog import kernels
from harness.measure.request import Request
from harness.measure.revision import kernel_revision
from harness.measure.supervisor import Supervisor
from harness.model import Job, Kernel, Problem, Record, Timing
from tests.gpu.board import this_gpu

Measure = Callable[..., Record]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark and skip, here rather than in each file, so that none is forgotten."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            if not torch.cuda.is_available():
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session")
def measure(zoo: Path) -> Iterator[Measure]:
    """Measures a kernel by name, attnbench's own or the zoo's, all with one supervisor."""
    found = kernels([zoo])
    gpu = this_gpu()
    supervisor = Supervisor(gpu)

    def one(name: str, problem: Problem, timing: Timing, launch: int = 0) -> Record:
        kernel = found[name]
        assert isinstance(kernel, Kernel)
        job = Job(kernel, problem, gpu, timing)
        return supervisor.measure(Request("gpu-check", job, kernel_revision(kernel), launch=launch))

    yield one
    supervisor.close()
