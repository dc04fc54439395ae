"""The supervisor's end of a fork server and of its children."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

from harness.errors import MeasureError
from harness.measure.server import ADDRESS, AUTH_KEY

START_TIMEOUT_S = 120.0
"""A server imports torch, which a loaded machine or a cold disk can make slow."""


class ForkServer:
    """A fresh fork server. ``fork`` gives children; ``close`` ends it and them."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Start it with ``environment`` added to this process's own."""
        self._folder = tempfile.TemporaryDirectory(prefix="attnbench-")
        address = str(Path(self._folder.name) / "socket")
        key = secrets.token_bytes(32)
        self._listener = Listener(address, family="AF_UNIX", authkey=key)
        env = {**os.environ, **environment, ADDRESS: address, AUTH_KEY: key.hex()}
        # -P: the working directory doesn't go on sys.path (a checkout's kernels/ must not be
        # importable).
        command = [sys.executable, "-P", "-m", "harness.measure.server"]
        self._process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL)
        self._control, _ = self._accept("the fork server")

    def _accept(self, whom: str) -> tuple[Connection[Any, Any], int]:
        """The next connection and the pid behind it. Raises MeasureError if none comes."""
        # Listener.accept has no time limit of its own; the socket below it has.
        listening = self._listener._listener._socket  # type: ignore[attr-defined]
        listening.settimeout(START_TIMEOUT_S)
        try:
            connection = self._listener.accept()
        except (TimeoutError, EOFError) as error:
            self._process.kill()
            raise MeasureError(
                f"{whom} did not come up within {START_TIMEOUT_S:.0f} s "
                f"(exit code {self._process.poll()}); its output is above"
            ) from error
        _, pid = connection.recv()
        return connection, pid

    def fork(self, role: str, argument: dict[str, Any]) -> Child:
        """A new child in ``role`` (a key of ``child.ROLES``)."""
        if self._process.poll() is not None:
            raise MeasureError(f"the fork server ended with exit code {self._process.returncode}")
        self._control.send(("fork", role, argument))
        pid = self._control.recv()
        connection, connected = self._accept("a forked child")
        if connected != pid:
            raise MeasureError(f"expected child {pid}, but {connected} connected")
        return Child(pid, connection, self)

    def wait(self, pid: int) -> int:
        """Reap a child: its exit code, negative for the signal that ended it."""
        self._control.send(("wait", pid))
        return int(self._control.recv())

    def close(self) -> None:
        """End the server; its children die with it."""
        with contextlib.suppress(OSError):
            self._control.send(("stop",))
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._listener.close()
        self._folder.cleanup()


class Child:
    """One forked child and the connection to it."""

    def __init__(self, pid: int, connection: Connection[Any, Any], server: ForkServer) -> None:
        self.pid = pid
        self.connection = connection
        self._server = server

    def kill(self) -> None:
        """Kill it and everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.reap()

    def reap(self) -> int:
        """Wait until it has ended: its exit code, negative for a signal."""
        self.connection.close()
        return self._server.wait(self.pid)


def ending(code: int) -> str:
    """An exit code in words; negative ones are the signal that ended the process."""
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended itself with exit code {code}"
