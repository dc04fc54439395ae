"""What NVML says of a GPU. Its binding is optional on a worker: without it nothing is invented."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable


def read_conditions(uuid: str) -> dict[str, float | str]:
    """SM clock (MHz), power (W), temperature (°C), throttle reasons (bit mask) of one board."""
    if importlib.util.find_spec("pynvml") is None:
        return {}
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return {}
    found: dict[str, float | str] = {}
    try:
        name = uuid if uuid.startswith("GPU-") else f"GPU-{uuid}"
        handle = pynvml.nvmlDeviceGetHandleByUUID(name)
        readers: dict[str, Callable[[], float]] = {
            "sm_clock_mhz": lambda: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
            "power_w": lambda: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000,
            "temperature_c": lambda: pynvml.nvmlDeviceGetTemperature(
                handle, pynvml.NVML_TEMPERATURE_GPU
            ),
            "throttle_reasons": lambda: pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle),
        }
        for key, read in readers.items():
            try:
                found[key] = float(read())
            except pynvml.NVMLError:  # this board doesn't report that figure: it stays absent
                continue
    except pynvml.NVMLError:
        return {}
    finally:
        pynvml.nvmlShutdown()
    return found
