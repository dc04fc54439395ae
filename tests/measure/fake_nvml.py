"""A stand-in for libnvidia-ml.so: fills in what it is given pointers to, and answers with codes."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

OK, NOT_SUPPORTED, NOT_FOUND, TOO_SMALL = 0, 3, 6, 7


@dataclass
class FakeBoard:
    """A board; None is what it doesn't support."""

    uuid: str
    clock_mhz: int | None = 1755
    max_clock_mhz: int | None = 1980
    power_mw: int | None = 412_500
    temperature_c: int | None = 61
    reasons: int | None = 0
    energy_mj: int | None = 5_000_000
    pids: list[int] = field(default_factory=list)


class FakeNvml:
    """NVML with these boards. Handles are their indices, counted from 1."""

    def __init__(self, *boards: FakeBoard, driver: bool = True) -> None:
        self.boards = boards
        self._driver = driver

    def nvmlInit_v2(self) -> int:
        return OK if self._driver else 9  # NVML_ERROR_DRIVER_NOT_LOADED

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        return _give(count, len(self.boards))

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:
        return _give(handle, index + 1)

    def nvmlDeviceGetHandleByUUID(self, name: bytes, handle: Any) -> int:
        for index, board in enumerate(self.boards):
            if board.uuid.encode() == name:
                return _give(handle, index + 1)
        return NOT_FOUND

    def _of(self, handle: ctypes.c_void_p) -> FakeBoard:
        return self.boards[(handle.value or 0) - 1]

    def nvmlDeviceGetUUID(self, handle: Any, text: Any, length: int) -> int:
        text.value = self._of(handle).uuid.encode()
        return OK

    def nvmlDeviceGetClockInfo(self, handle: Any, which: int, out: Any) -> int:
        assert which == 1, "the SM clock"
        return _give(out, self._of(handle).clock_mhz)

    def nvmlDeviceGetMaxClockInfo(self, handle: Any, which: int, out: Any) -> int:
        assert which == 1, "the SM clock"
        return _give(out, self._of(handle).max_clock_mhz)

    def nvmlDeviceGetPowerUsage(self, handle: Any, out: Any) -> int:
        return _give(out, self._of(handle).power_mw)

    def nvmlDeviceGetTemperature(self, handle: Any, which: int, out: Any) -> int:
        assert which == 0, "the chip"
        return _give(out, self._of(handle).temperature_c)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any, out: Any) -> int:
        assert ctypes.sizeof(out._obj) == 8, "more than 4,295 kJ must fit"
        return _give(out, self._of(handle).energy_mj)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: Any, out: Any) -> int:
        assert ctypes.sizeof(out._obj) == 8
        return _give(out, self._of(handle).reasons)

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle: Any, count: Any, infos: Any) -> int:
        pids, room = self._of(handle).pids, count._obj.value
        count._obj.value = len(pids)
        if len(pids) > room:
            return TOO_SMALL
        for at, pid in enumerate(pids):
            infos[at].pid = pid
        return OK


def _give(pointer: Any, value: int | None) -> int:
    if value is None:
        return NOT_SUPPORTED
    pointer._obj.value = value
    return OK
