"""The fork server: torch loaded, nothing run, CUDA not asked; forks a child in about 10 ms.

One server serves one launch: children of one server share their address layout and hash seed, so
two launches are independent only if their servers are (DESIGN.md, decision 1). It is a program of
its own (``python -m harness.measure.server``), so that the process which supervises it — a Ray
actor, say — passes none of its own state on.

It speaks pickled tuples over the connection it opens to its supervisor:

    ("fork", role, argument) → pid       the child opens its own connection to the same address
    ("wait", pid) → exit code            negative: the signal that ended it
    ("stop",)                            or the end of the connection: it ends
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import signal
import sys
from multiprocessing.connection import Client, Connection
from typing import Any

ADDRESS = "ATTNBENCH_SERVER_ADDRESS"
AUTH_KEY = "ATTNBENCH_SERVER_AUTHKEY"
PR_SET_PDEATHSIG = 1  # prctl(2)
INDUCTOR_RECURSION_LIMIT = 2000  # torch/_inductor/compile_fx.py raises it to this


def settle_compiler() -> None:
    """Do ahead what torch.compile does to a process, before anything imports torch._inductor.

    A cold compilation starts a pool of threads that stays, and the progress bar's monitor where
    tqdm is installed, and raises the recursion limit. Done later, none of it could be told from a
    kernel that leaves threads running or changes the process's state, and idle threads would stand
    beside the timed calls.
    """
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    if importlib.util.find_spec("tqdm") is not None:
        importlib.import_module("tqdm").tqdm.monitor_interval = 0  # no monitor thread
    sys.setrecursionlimit(max(sys.getrecursionlimit(), INDUCTOR_RECURSION_LIMIT))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, so that none is left over."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)


def serve(address: str, key: bytes) -> None:
    """Answer the supervisor until it stops or goes away."""
    settle_compiler()
    from harness.measure import child  # loads torch, once for every fork

    # What torch's modules hold is never garbage: without them a collection before each series
    # takes a millisecond instead of 160, and no fork copies their pages.
    gc.collect()
    gc.freeze()
    control = Client(address, authkey=key)
    control.send(("ready", os.getpid()))
    while True:
        try:
            message = control.recv()
        except EOFError:
            return
        if message[0] == "fork":
            _, role, argument = message
            server = os.getpid()
            pid = os.fork()
            if pid == 0:
                control.close()
                _run_child(child.ROLES[role], server, address, key, argument)
            control.send(pid)
        elif message[0] == "wait":
            _, status = os.waitpid(message[1], 0)
            control.send(os.waitstatus_to_exitcode(status))
        else:
            return


def _run_child(role: Any, server: int, address: str, key: bytes, argument: Any) -> None:
    """Never returns: a child must not run the server's code on."""
    code = 1
    try:
        os.setpgid(0, 0)  # what it starts can be killed with it
        die_with_parent(server)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides when it ends
        connection: Connection[Any, Any] = Client(address, authkey=key)
        connection.send(("child", os.getpid()))
        role(connection, argument)
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    die_with_parent(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Taken out of the environment, where a kernel's code could read them.
    serve(os.environ.pop(ADDRESS), bytes.fromhex(os.environ.pop(AUTH_KEY)))
