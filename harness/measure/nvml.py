"""NVML, the driver's management library, through ctypes: what a board says while it is measured.

Through ctypes since a worker needs torch alone; the library comes with the driver. NVML makes no
CUDA context, so the supervisor may ask too. What a board doesn't report is None: nothing is
invented. Source: NVIDIA, NVML API Reference (``nvml.h``).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
SUCCESS = 0
INSUFFICIENT_SIZE = 7
CLOCK_SM = 1
TEMPERATURE_GPU = 0
UUID_BYTES = 96
PROCESSES_MORE = 8
"""Room for processes that start between asking how many there are and asking which."""

REASONS = {
    0x1: "idle",
    0x2: "applications_clocks",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal",
    0x40: "hw_thermal",
    0x80: "hw_power_brake",
    0x100: "display_clocks",
}
"""Bits of nvmlClocksEventReasons (older: nvmlClocksThrottleReasons): what holds the clock down."""
SLOWING = ("sw_power_cap", "hw_slowdown", "sw_thermal", "hw_thermal", "hw_power_brake")
"""Those that slow a board under load; the others are settings, or that it has nothing to do."""


class _Process(ctypes.Structure):
    """nvmlProcessInfo_v2_t, what the function's third version fills in."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("usedGpuMemory", ctypes.c_ulonglong),
        ("gpuInstanceId", ctypes.c_uint),
        ("computeInstanceId", ctypes.c_uint),
    )


class Board:
    """One GPU, as NVML sees it."""

    def __init__(self, library: Any, handle: ctypes.c_void_p) -> None:
        """``library``: NVML, initialised; ``handle``: its nvmlDevice_t."""
        self._library = library
        self._handle = handle

    def _number(self, function: str, *which: int, kind: type[Any] = ctypes.c_uint) -> int | None:
        call = getattr(self._library, function, None)  # an older driver may lack it
        out = kind()
        if call is None or call(self._handle, *which, ctypes.byref(out)) != SUCCESS:
            return None
        return int(out.value)

    def clock_mhz(self) -> float | None:
        """Its SM clock just now, MHz."""
        return _float(self._number("nvmlDeviceGetClockInfo", CLOCK_SM))

    def max_clock_mhz(self) -> float | None:
        """The highest SM clock that it can have, MHz."""
        return _float(self._number("nvmlDeviceGetMaxClockInfo", CLOCK_SM))

    def power_w(self) -> float | None:
        """Its power draw, W."""
        return _float(self._number("nvmlDeviceGetPowerUsage"), 1e-3)

    def temperature_c(self) -> float | None:
        """Temperature of the chip, °C."""
        return _float(self._number("nvmlDeviceGetTemperature", TEMPERATURE_GPU))

    def energy_j(self) -> float | None:
        """Energy since the driver was loaded, J (Volta and later)."""
        found = self._number("nvmlDeviceGetTotalEnergyConsumption", kind=ctypes.c_ulonglong)
        return _float(found, 1e-3)

    def clock_held_by(self) -> tuple[str, ...] | None:
        """What holds its clock down just now, in the words of REASONS."""
        mask = None
        for function in (
            "nvmlDeviceGetCurrentClocksEventReasons",
            "nvmlDeviceGetCurrentClocksThrottleReasons",  # its name before driver 535
        ):
            mask = self._number(function, kind=ctypes.c_ulonglong)
            if mask is not None:
                break
        if mask is None:
            return None
        return tuple(word for bit, word in REASONS.items() if mask & bit)

    def uuid(self) -> str:
        """Its UUID, ``GPU-…``; "" where it doesn't say."""
        text = ctypes.create_string_buffer(UUID_BYTES)
        call = self._library.nvmlDeviceGetUUID
        return text.value.decode() if call(self._handle, text, UUID_BYTES) == SUCCESS else ""

    def process_ids(self) -> frozenset[int] | None:
        """Processes that compute on it, by the ids they have on the host; None: it doesn't say.

        In a container the list may be empty, and its ids aren't those that the container sees.
        """
        call = getattr(self._library, "nvmlDeviceGetComputeRunningProcesses_v3", None)
        if call is None:
            return None
        count = ctypes.c_uint(0)
        code = call(self._handle, ctypes.byref(count), None)
        while code == INSUFFICIENT_SIZE:
            count = ctypes.c_uint(count.value + PROCESSES_MORE)
            found = (_Process * count.value)()
            code = call(self._handle, ctypes.byref(count), found)
            if code == SUCCESS:
                return frozenset(process.pid for process in found[: count.value])
        return frozenset() if code == SUCCESS else None


def open_nvml(library: Any = None) -> Any:
    """NVML, initialised, or None where there is no driver. ``library``: use this one instead."""
    if library is None:
        try:
            library = ctypes.CDLL(LIBRARY)
        except OSError:
            return None
    return library if library.nvmlInit_v2() == SUCCESS else None


def boards(library: Any) -> Iterator[Board]:
    """Every board of this machine that NVML shows."""
    count = ctypes.c_uint()
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != SUCCESS:
        return
    for index in range(count.value):
        handle = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) == SUCCESS:
            yield Board(library, handle)


def board_of(library: Any, uuid: str) -> Board | None:
    """The board with this UUID, with or without its ``GPU-``; None where NVML knows none."""
    name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
    handle = ctypes.c_void_p()
    found = library.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle)) == SUCCESS
    return Board(library, handle) if found else None


def _float(value: int | None, scale: float = 1.0) -> float | None:
    return None if value is None else value * scale
