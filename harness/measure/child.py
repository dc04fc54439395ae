"""What runs in a forked child: the jobs of a launch, or the oracle."""

from __future__ import annotations

import dataclasses
import os
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

# Loaded here, so that every fork has them already. torch.nn.attention.bias is what SDPA kernels
# import, and takes a second.
import torch.nn.attention.bias

from harness.hardware import usable_cores
from harness.measure.contract import attempt
from harness.measure.device import open_device
from harness.measure.device_cpu import CpuDevice  # noqa: F401
from harness.measure.environment import read_environment
from harness.measure.job import is_out_of_memory, run_job
from harness.measure.processor import pin
from harness.measure.tamper import differences, snapshot
from harness.model import Gpu, Record, Status
from harness.operators import operator_names, reference
from harness.operators.gates import Judgement

CLEAN = (Status.OK, Status.SKIPPED, Status.INCORRECT)
"""After these a child is used again; after any other its state is doubtful."""

MEMORY_SHARE = 0.8
"""A kernel on the CPU may take this share of the memory that is free when its child starts."""
ORACLE_MEMORY_SHARE = 0.5
"""The oracle may take this share: beside it are the kernel's inputs and everybody else."""

for _name in operator_names():
    reference(_name)


def measure_jobs(connection: Connection[Any, Any], argument: dict[str, Any]) -> None:
    """Measure what comes down the connection until it ends.

    Sends ``("hello", Device, Environment)``, then for each Request any number of
    ``("check", value set, outputs)``, each answered by a Judgement, and one ``("record", Record,
    whether this process is as it was and takes another)``. The oracle never enters this process.
    """
    _redirect_output(argument["log"])
    gpu: Gpu = argument["gpu"]
    if gpu.kind == "cpu":
        _limit_memory(MEMORY_SHARE)
        pin(gpu.threads or usable_cores())  # before the first parallel call starts its threads
    device = open_device(gpu)
    facts, environment = device.describe(), read_environment(argument["harness_commit"])
    connection.send(("hello", facts, environment))

    pid = os.getpid()

    def judge(which: int, selected: dict[str, np.ndarray]) -> Judgement:
        _only(pid)
        connection.send(("check", which, selected))
        answer: Judgement = connection.recv()
        return answer

    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        before = snapshot()
        record: Record = run_job(request, device, facts, environment, judge)
        _only(pid)
        # A kernel that is wrong, or says at last that it can't, may have changed something as well.
        changed = differences(before, snapshot())
        if changed and record.status in CLEAN:
            also = "it also changed the process's state: " + "; ".join(changed)
            record = dataclasses.replace(record, log="\n".join(filter(None, (record.log, also))))
        usable = record.status in CLEAN and not changed
        if usable:
            device.release_memory()
        connection.send(("record", record, usable))
        if not usable:
            return


def compute_oracles(connection: Connection[Any, Any], argument: dict[str, Any]) -> None:
    """Answer ``(problem, seed)`` with its Expected until the connection ends.

    The answer is a text, and the end of this process, where memory ran out.
    """
    _limit_memory(ORACLE_MEMORY_SHARE)
    torch.set_num_threads(argument["threads"])
    while True:
        try:
            problem, seed = connection.recv()
        except EOFError:
            return
        try:
            connection.send(reference(problem.operator).expected(problem, seed))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            connection.send(
                f"the fp64 oracle of {problem.summary()} did not fit into the "
                f"{ORACLE_MEMORY_SHARE:.0%} of this host's free memory that it may take"
            )
            return


def try_kernels(connection: Connection[Any, Any], argument: dict[str, Any]) -> None:
    """Answer each Trial with its Outcome until the connection ends."""
    device = torch.device(argument["device"])
    if device.type == "cpu":
        _limit_memory(MEMORY_SHARE)
    pid = os.getpid()
    while True:
        try:
            trial = connection.recv()
        except EOFError:
            return
        outcome = attempt(trial, device)
        _only(pid)
        connection.send(outcome)


ROLES: dict[str, Callable[[Connection[Any, Any], dict[str, Any]], None]] = {
    "measure": measure_jobs,
    "oracle": compute_oracles,
    "trial": try_kernels,
}


def _only(pid: int) -> None:
    """End here if a kernel has forked: two processes must not speak on one connection."""
    if os.getpid() != pid:
        os._exit(1)


def _redirect_output(path: str) -> None:
    """Everything the kernel prints, from C too, goes to the log file."""
    log = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _limit_memory(share: float) -> None:
    """Have an allocation without bound fail here, before the system kills somebody else."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            limit = int(int(line.split()[1]) * 1024 * share)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
