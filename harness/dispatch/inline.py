"""The inline dispatcher: everything in this process, for a debugger.

No isolation: a kernel that crashes ends the sweep, one that hangs hangs it, and ``timeout_s`` isn't
enforced. Launches share this process, so their spread says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.dispatch.base import Event, Finished, Started
from harness.measure.device import MeasuredDevice, open_device
from harness.measure.environment import read_environment
from harness.measure.job import run_job
from harness.measure.lock import DeviceLock, processor_lock
from harness.measure.request import Request
from harness.measure.server import settle_compiler
from harness.model import Device, Record
from harness.model.gpu import CPU
from harness.operators import reference
from harness.operators.base import Expected
from harness.operators.gates import Judgement, judge


class InlineDispatcher:
    """Runs requests one after the other in this process."""

    def __init__(self) -> None:
        self._devices: dict[str, tuple[MeasuredDevice, Device]] = {}
        self._expected: dict[tuple[str, int], Expected] = {}
        self._stopped = False
        settle_compiler()

    def run(self, requests: Sequence[Request]) -> Iterator[Event]:
        """See Dispatcher."""
        for request in requests:
            if self._stopped:
                return
            yield Started(request, "this process")
            yield Finished(request, self._measure(request))

    def _measure(self, request: Request) -> Record:
        problem = request.job.problem
        operator = reference(problem.operator)
        if any(key != problem.key for key, _ in self._expected):
            self._expected.clear()  # kernels of one problem are neighbours and share its oracles

        def check(which: int, selected: dict[str, np.ndarray]) -> Judgement:
            key = problem.key, request.seeds()[which]
            if key not in self._expected:
                self._expected[key] = operator.expected(problem, key[1])
            quantised = request.job.kernel.quantised
            return judge(problem, self._expected[key], selected, quantised=quantised)

        gpu = request.job.gpu
        if gpu.name not in self._devices:
            device = open_device(gpu)
            self._devices[gpu.name] = device, device.describe()
        device, facts = self._devices[gpu.name]
        environment = read_environment(request.harness_commit)
        lock = processor_lock() if gpu.kind == CPU else DeviceLock(facts.uuid, gpu.name)
        with lock.held():
            return run_job(request, device, facts, environment, check)

    def stop(self) -> None:
        """See Dispatcher."""
        self._stopped = True

    def close(self) -> None:
        """Nothing was started."""
