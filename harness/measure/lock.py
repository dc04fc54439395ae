"""One measurement at a time on a device of this host, whoever asks: another sweep, another user.

``flock`` on a file named after the device's UUID, in a folder that every user of the host shares.
The kernel lets go of it when its holder dies, so nothing is ever left locked. Locking needs no
right to write: the file is read-only for everybody, and opened without O_CREAT where it is there
(``fs.protected_regular`` refuses O_CREAT on another user's file in a sticky folder).

Two files make it fair: who waits holds the gate, and who has just finished must pass the gate too,
so a sweep of short jobs can't starve another. Sources: flock(2), proc_sys_fs(5), proc_locks(5).
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from harness.errors import MeasureError
from harness.measure.clock import Stopwatch

VARIABLE = "ATTNBENCH_LOCKS"
"""Names another folder: containers that share a device must share one, by a mount."""
FOLDERS = ("/run/lock", "/tmp")
SHARED = 0o1777
"""What a folder that everybody may write to, each only his own, has as its mode."""
POLL_S = 0.005
SAY_AFTER_S = 10.0
ATTEMPTS = 100


def lock_folder() -> Path:
    """Where the lock files are. Raises MeasureError where there is no such folder."""
    given = os.environ.get(VARIABLE)
    if given:
        if not os.access(given, os.W_OK | os.X_OK):
            raise MeasureError(f"{VARIABLE}={given} is not a folder that can be written to")
        return Path(given)
    for name in FOLDERS:
        folder = Path(name)
        if folder.is_dir() and folder.stat().st_mode & SHARED == SHARED:
            return folder
    raise MeasureError(
        f"no folder for device locks: {' and '.join(FOLDERS)} are not writable for everybody; "
        f"set {VARIABLE} to a folder that all users of this machine share"
    )


class DeviceLock:
    """The lock of one device. One holder at a time on this host; not for several threads."""

    def __init__(self, uuid: str, name: str = "", folder: Path | None = None) -> None:
        """``uuid`` of the device; ``name`` is what messages call it."""
        stem = "attnbench-" + re.sub(r"[^A-Za-z0-9.-]", "_", uuid)
        folder = folder or lock_folder()
        self._gate, self._path = folder / f"{stem}.gate", folder / f"{stem}.lock"
        self._name = name or uuid

    @contextmanager
    def held(self) -> Iterator[float]:
        """Hold it; gives the seconds that it was waited for. Raises MeasureError."""
        watch = Stopwatch()
        gate = self._locked(self._gate, watch)
        try:
            lock = self._locked(self._path, watch)
        finally:
            os.close(gate)
        try:
            yield watch.s()
        finally:
            os.close(lock)

    def holder(self) -> int | None:
        """The process that holds it now, as this process's /proc shows it; None where unknown."""
        try:
            inode = self._path.stat().st_ino
            lines = Path("/proc/locks").read_text().splitlines()
        except OSError:
            return None
        for line in lines:  # "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"
            words = line.split()
            if len(words) > 5 and words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
                return int(words[4]) if int(words[4]) > 0 else None
        return None

    def _locked(self, path: Path, watch: Stopwatch) -> int:
        """A descriptor of the file, locked."""
        said = False
        while True:
            file = _open(path)
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not said and watch.s() > SAY_AFTER_S:
                        said = True
                        self._say()
                    sleep(POLL_S)
                except BaseException:
                    os.close(file)
                    raise
            if _is(file, path):
                return file
            os.close(file)  # somebody has tidied the folder: the file has another successor

    def _say(self) -> None:
        pid = self.holder()
        whose = (
            f", which process {pid} measures on" if pid else ", which another process measures on"
        )
        print(f"attnbench: waiting for {self._name}{whose}", file=sys.stderr, flush=True)


def processor_lock() -> DeviceLock:
    """The lock of this machine's processor: one, whatever threads and cores are asked for."""
    return DeviceLock("cpu", "this machine's processor")


def _open(path: Path) -> int:
    """The file, made if it isn't there, for reading. Raises MeasureError."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    why: OSError | None = None
    for _ in range(ATTEMPTS):
        try:
            file = os.open(path, flags)
        except FileNotFoundError:
            try:
                file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o444)
            except FileExistsError:
                continue  # another was quicker
            except OSError as error:
                why = error
                break
            os.fchmod(file, 0o444)  # whatever this user's umask: the others must open it
        except PermissionError as error:  # just made by a user with a strict umask
            why = error
            sleep(POLL_S)
            continue
        except OSError as error:
            why = error
            break
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
        raise MeasureError(f"device lock {path} is not a file: remove it")
    said = why.strerror if why else "it comes and goes"
    raise MeasureError(f"device lock {path} can't be opened: {said}; remove it, or set {VARIABLE}")


def _is(file: int, path: Path) -> bool:
    """Whether the path still names the open file."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(file)
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)
