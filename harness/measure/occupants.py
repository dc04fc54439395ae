"""Who else computes on a GPU: foreign processes are waited for, and flagged where they stay.

NVML lists a board's processes by the ids they have on the host, which in a container aren't those
that this process sees. So one's own is known by its coming: it is what the list gains when the
measuring child opens the device.
"""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import Any

from harness.measure.clock import Stopwatch
from harness.measure.nvml import board_of, boards

FOREIGN = "foreign_process"
"""Flag: another process was computing on the device while it was measured."""
WAIT_S = 30.0
"""How long a process that wasn't there before is waited for."""
POLL_S = 0.1


class Occupants:
    """The processes of the board that is measured on, and which of them is one's own."""

    def __init__(self, library: Any, wait: Callable[[float], None] = sleep) -> None:
        """``library``: NVML, initialised, or None where there is none: nobody is seen."""
        self._library = library
        self._wait = wait
        self._before: frozenset[int] = frozenset()
        self._own: frozenset[int] = frozenset()
        self._tolerated: frozenset[int] = frozenset()
        self._uuid = ""

    def before_opening(self) -> None:
        """The measuring child doesn't exist yet."""
        if self._library is not None:
            lists = [board.process_ids() or frozenset() for board in boards(self._library)]
            self._before = frozenset().union(*lists)

    def opened(self, uuid: str, pid: int) -> None:
        """Child ``pid`` has just opened the board ``uuid``."""
        self._uuid = uuid
        now = self._listed()
        self._own = frozenset({pid}) if pid in now else now - self._before

    def _listed(self) -> frozenset[int]:
        board = board_of(self._library, self._uuid) if self._library is not None else None
        return (board.process_ids() if board is not None else None) or frozenset()

    def foreign(self) -> frozenset[int]:
        """Processes on the board now that aren't one's own."""
        return self._listed() - self._own

    def settle(self) -> frozenset[int]:
        """Wait until no new foreign process is there, WAIT_S at most; those that are there still.

        What has been waited for once in vain is not waited for again.
        """
        watch = Stopwatch()
        while True:
            found = self.foreign()
            if not found - self._tolerated:
                return found
            if watch.s() >= WAIT_S:
                self._tolerated |= found
                return found
            self._wait(POLL_S)
