"""The supervisor: owns one device, never touches it, survives whatever a kernel does.

It keeps one child that measures and one that computes oracles, both forked from a server that is
fresh in every launch. A kernel that crashes, hangs or spoils its process costs its own job: the
child is replaced and the next request goes on. The oracle's numbers stay on this side.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections import OrderedDict
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from harness.errors import MeasureError
from harness.hardware import usable_cores
from harness.measure.cache import cache_folder
from harness.measure.clock import Stopwatch, monotonic_s
from harness.measure.forks import Child, ForkServer, ending
from harness.measure.lock import DeviceLock, processor_lock
from harness.measure.nvml import open_nvml
from harness.measure.occupants import FOREIGN, Occupants
from harness.measure.request import Request
from harness.measure.said import MOST, kept
from harness.model import Device, Environment, Gpu, Record, Status, utc_now
from harness.model.gpu import CPU
from harness.operators.base import Expected
from harness.operators.gates import judge

LOG_BYTES = MOST
"""How much of the end of a kernel's output a record keeps."""
LOG_FILE_BYTES = 64 << 20
"""How large its file may grow meanwhile."""
LOG_LOOK_S = 0.5
"""How often that is looked at while a job runs."""
ORACLES_KEPT = 4
"""Kernels of one problem are neighbours, so few are needed at a time."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
COMPILE_CACHES = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}
HELLO_TIMEOUT_S = 120.0
ORACLE_TIMEOUT_S = 600.0
"""An oracle is bounded by its own budget; this only ends a machine that makes no headway."""


def worker_environment(threads: int) -> dict[str, str]:
    """Variables for a fork server: its threads, and where compiled kernels are kept.

    Set for the server and not in this process: Ray gives its actors OMP_NUM_THREADS=1. Compiled
    kernels live across launches, and where a user has put them if they have.
    """
    found = dict.fromkeys(THREAD_VARIABLES, str(threads))
    for name, folder in COMPILE_CACHES.items():
        found[name] = os.environ.get(name) or str(cache_folder() / folder)
    return found


def out_of_memory_kills() -> int:
    """Processes that the system has ended since it started because memory ran out (proc(5))."""
    for line in Path("/proc/vmstat").read_text().splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill":
            return int(count)
    return 0  # kernels before 4.13 don't count: such an end is a crash by SIGKILL


class _OracleTooLarge(Exception):
    """The right answer of a problem doesn't fit into this host's memory."""


class Supervisor:
    """Measures requests on one device, one after the other. Not thread-safe."""

    def __init__(self, gpu: Gpu, *, visible_device: str | None = None) -> None:
        """``visible_device``: what CUDA_VISIBLE_DEVICES is set to for the children, if given."""
        self._gpu = gpu
        self._threads = gpu.threads or usable_cores()
        self._env = worker_environment(self._threads)
        if visible_device is not None:
            self._env["CUDA_VISIBLE_DEVICES"] = visible_device
        self._server: ForkServer | None = None
        self._launch: tuple[str, int] | None = None
        self._child: Child | None = None
        self._occupants = Occupants(None if gpu.kind == CPU else open_nvml())
        self._oracle: Child | None = None
        self._expected: OrderedDict[tuple[str, int], Expected] = OrderedDict()
        self._facts: Device | None = None
        self._environment: Environment | None = None
        log = tempfile.NamedTemporaryFile(prefix="attnbench-log-", delete=False)  # noqa: SIM115
        log.close()
        self._log = Path(log.name)
        self._log_cut = 0

    def measure(self, request: Request) -> Record:
        """The record of one attempt. Raises MeasureError only for the harness's own faults.

        Nobody else on this host measures on the device meanwhile: another sweep's job is waited
        for, which counts for nobody's ``timeout_s``. A CPU is locked for the oracle too, which
        computes on it; a GPU while the child works.
        """
        if self._gpu.kind != CPU:
            return self._measure(request)
        with processor_lock().held():
            return self._measure(request)

    def _measure(self, request: Request) -> Record:
        launch = (request.sweep_id, request.launch)
        if launch != self._launch:
            self._new_launch()
            self._launch = launch
        try:
            expected = [self._expect(request, seed) for seed in request.seeds()]
        except _OracleTooLarge as error:  # without an oracle there is no number
            return request.failed(Status.OUT_OF_MEMORY, str(error), started_at=utc_now())
        child = self._ready_child(request)
        with self._board_lock():
            crowd = set(self._occupants.settle())
            started_at, watch = utc_now(), Stopwatch()
            self._log.write_bytes(b"")
            self._log_cut = 0
            kills = out_of_memory_kills()
            record = self._talk(child, request, expected)
            crowd |= self._occupants.foreign()
        if crowd and isinstance(record, Record) and record.status is Status.OK:
            record = dataclasses.replace(record, flags=(*record.flags, FOREIGN))
        if isinstance(record, str):  # it did not live to write one
            status, reason = self._cause_of_death(request, record)
            if status is Status.CRASHED and out_of_memory_kills() > kills:
                status = Status.OUT_OF_MEMORY
                reason += ": this host's memory ran out, and the system chose it"
            record = request.failed(
                status,
                reason,
                device=self._facts,
                environment=self._environment,
                started_at=started_at,
                duration_s=watch.s(),
            )
        return dataclasses.replace(record, log=self._with_output(record.log))

    def _board_lock(self) -> AbstractContextManager[object]:
        """Of the GPU that the child has opened; a CPU is locked already."""
        if self._gpu.kind == CPU:
            return nullcontext()
        return DeviceLock(self._uuid(), self._gpu.name).held()

    def _talk(self, child: Child, request: Request, expected: list[Expected]) -> Record | str:
        """Send the request and answer its checks: its record, or ``timeout`` or ``died``."""
        deadline = monotonic_s() + request.job.timing.timeout_s
        try:
            child.connection.send(request)
            while True:
                left = deadline - monotonic_s()
                if not child.connection.poll(min(LOG_LOOK_S, max(0.0, left))):
                    if left <= 0:
                        return "timeout"
                    self._bound_log()
                    continue
                message = child.connection.recv()
                if message[0] == "record":
                    record: Record = message[1]
                    if not message[2]:
                        self._drop_child()
                    return record
                _, which, selected = message
                job = request.job
                verdict = judge(
                    job.problem, expected[which], selected, quantised=job.kernel.quantised
                )
                child.connection.send(verdict)
        except (EOFError, ConnectionError):
            return "died"

    def _cause_of_death(self, request: Request, how: str) -> tuple[Status, str]:
        child, self._child = self._child, None
        if child is None:
            raise MeasureError("the child was already replaced")
        if how == "timeout":
            child.kill()
            limit = request.job.timing.timeout_s
            return Status.TIMEOUT, f"still running after timing.timeout_s={limit:g} s, killed"
        return Status.CRASHED, ending(child.reap())

    def _bound_log(self) -> None:
        """Cut the log file if it has grown large: a kernel that prints must not fill the disk."""
        size = self._log.stat().st_size
        if size > LOG_FILE_BYTES:  # the child appends, so that it goes on at the new end
            os.truncate(self._log, 0)
            self._log_cut += size

    def _with_output(self, log: str) -> str:
        """A record's log with the end of what was printed before it."""
        size = self._log.stat().st_size
        with self._log.open("rb") as file:
            file.seek(max(0, size - LOG_BYTES))
            printed = kept(file.read(LOG_BYTES).decode(errors="replace"))
        cut = self._log_cut + max(0, size - LOG_BYTES)
        if cut:
            printed = f"[{cut} bytes cut]\n{printed}"
        return "\n".join(part for part in (printed.strip(), log) if part)

    def _new_launch(self) -> None:
        """Fresh processes for a new round, the server included."""
        self._drop_server()
        self._server = ForkServer(self._env)

    def _fork(self, role: str, argument: dict[str, Any]) -> Child:
        if self._server is None:
            raise MeasureError("no launch has begun")
        return self._server.fork(role, argument)

    def _ready_child(self, request: Request) -> Child:
        """The measuring child, alive and greeted."""
        if self._child is not None and self._child.connection.poll(0):
            self._drop_child()  # it ended (or spoke) while nobody asked it anything
        if self._child is None:
            self._occupants.before_opening()
            self._child = self._fork(
                "measure",
                {
                    "gpu": self._gpu,
                    "log": str(self._log),
                    "harness_commit": request.harness_commit,
                },
            )
            try:
                if not self._child.connection.poll(HELLO_TIMEOUT_S):
                    raise MeasureError(f"the device did not open within {HELLO_TIMEOUT_S:.0f} s")
                _, self._facts, self._environment = self._child.connection.recv()
                self._occupants.opened(self._uuid(), self._child.pid)
            except (EOFError, ConnectionError) as error:
                self._drop_child()
                said = self._with_output("")
                raise MeasureError(f"the device could not be opened: {said}") from error
        return self._child

    def _uuid(self) -> str:
        """Of the device that the child has opened."""
        if self._facts is None:
            raise MeasureError("the device has not been opened")
        return self._facts.uuid

    def _expect(self, request: Request, seed: int) -> Expected:
        """The oracle of the request's problem, computed once for all kernels of the launch."""
        key = (request.job.problem.key, seed)
        if key not in self._expected:
            if self._oracle is None:
                self._oracle = self._fork("oracle", {"threads": self._threads})
            try:
                self._oracle.connection.send((request.job.problem, seed))
                if not self._oracle.connection.poll(ORACLE_TIMEOUT_S):
                    self._oracle.kill()
                    self._oracle = None
                    raise MeasureError(f"the oracle took over {ORACLE_TIMEOUT_S:.0f} s")
                answer = self._oracle.connection.recv()
            except (EOFError, ConnectionError) as error:
                code = self._oracle.reap() if self._oracle else None
                self._oracle = None
                what = request.job.problem.summary()
                raise MeasureError(f"the oracle of {what} died (exit code {code})") from error
            if isinstance(answer, str):
                self._oracle.reap()
                self._oracle = None
                raise _OracleTooLarge(answer)
            self._expected[key] = answer
            while len(self._expected) > ORACLES_KEPT:
                self._expected.popitem(last=False)
        self._expected.move_to_end(key)
        return self._expected[key]

    def _drop_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _drop_server(self) -> None:
        self._drop_child()
        if self._oracle is not None:
            self._oracle.kill()
            self._oracle = None
        if self._server is not None:
            self._server.close()
            self._server = None

    def close(self) -> None:
        """End every process it started."""
        self._drop_server()
        self._log.unlink(missing_ok=True)
