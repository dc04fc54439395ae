"""The device lock, with real processes as holders."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.config.catalog import kernels
from harness.errors import MeasureError
from harness.measure.lock import VARIABLE, DeviceLock, lock_folder, processor_lock
from harness.measure.request import Request
from harness.measure.revision import kernel_revision
from harness.measure.supervisor import Supervisor
from harness.model import Gpu, Job, Kernel, Problem, Status, Timing

HOLD = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from harness.measure.lock import DeviceLock\n"
    "with DeviceLock(sys.argv[1], folder=Path(sys.argv[2])).held():\n"
    "    print('held', flush=True)\n"
    "    time.sleep(3600)\n"
)
Holder = Callable[[str, Path], "subprocess.Popen[str]"]


@pytest.fixture
def hold() -> Iterator[Holder]:
    """Starts a process that holds a device's lock until it is killed."""
    started = []

    def holder(uuid: str, folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, uuid, str(folder)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield holder
    for process in started:
        process.kill()
        process.wait()


def taken(lock: DeviceLock, done: threading.Event) -> threading.Thread:
    def take() -> None:
        with lock.held():
            done.set()

    thread = threading.Thread(target=take)
    thread.start()
    return thread


def test_a_held_device_is_waited_for_and_a_killed_holder_lets_go(
    tmp_path: Path, hold: Holder
) -> None:
    process = hold("GPU-1", tmp_path)
    lock, done = DeviceLock("GPU-1", folder=tmp_path), threading.Event()
    assert lock.holder() == process.pid
    thread = taken(lock, done)
    assert not done.wait(0.2)
    process.kill()
    assert done.wait(30)
    thread.join()


def test_other_devices_are_free(tmp_path: Path, hold: Holder) -> None:
    hold("GPU-1", tmp_path)
    with DeviceLock("GPU-2", folder=tmp_path).held() as waited:
        assert waited < 30


def test_every_user_can_open_the_file_and_none_can_write_it(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with DeviceLock("GPU-1", folder=tmp_path).held():
            pass
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o444}


def test_a_strange_uuid_names_a_file_of_the_folder(tmp_path: Path) -> None:
    with DeviceLock("../../etc/passwd", folder=tmp_path).held():
        assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    with pytest.raises(MeasureError, match=VARIABLE):
        lock_folder()


def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "attnbench-GPU-1.gate").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(MeasureError, match=r"attnbench-GPU-1\.gate"),
        DeviceLock("GPU-1", folder=tmp_path).held(),
    ):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_job_waits_for_another_sweeps_and_its_time_limit_does_not_run(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hold: Holder
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    process = hold("cpu", tmp_path)
    assert processor_lock().holder() == process.pid
    kernel = kernels([zoo])["honest"]
    assert isinstance(kernel, Kernel)
    gpu = Gpu("cpu", kind="cpu", threads=1)
    timing = Timing(
        warmup_s=0.01, min_time_s=0.0, min_samples=6, max_samples=6, budget_s=0.5, timeout_s=60.0
    )
    problem = Problem(2, 2, 32, 32, 16, 16, "fp32", causal=True)
    supervisor = Supervisor(gpu)
    request = Request("lock", Job(kernel, problem, gpu, timing), kernel_revision(kernel))
    watch = time.monotonic()
    timer = threading.Timer(1.0, process.kill)
    timer.start()
    try:
        record = supervisor.measure(request)
        assert time.monotonic() - watch >= 1.0
        assert record.status is Status.OK, record.reason
        # It began once the device was free: what it waited for isn't in it.
        again = supervisor.measure(dataclasses.replace(request, attempt=1))
        assert again.status is Status.OK, again.reason
    finally:
        timer.join()
        supervisor.close()
