"""Modes on a device that only counts."""

from __future__ import annotations

import pytest
import torch

from harness.errors import MeasureError
from harness.measure.device import Call, MeasuredDevice
from harness.measure.modes import open_mode
from harness.model import Device, Memory


class CountingDevice(MeasuredDevice):
    """Writes down what it is asked."""

    torch_device = torch.device("cpu")

    def __init__(self) -> None:
        self.asked: list[str] = []

    def describe(self) -> Device:
        return Device("counting", "cpu", "0", "here")

    def synchronize(self) -> None:
        self.asked.append("synchronize")

    def flush_caches(self) -> None:
        self.asked.append("flush")

    def time_one(self, call: Call) -> float:
        call()
        self.asked.append("one")
        return 1.0

    def time_batch(self, call: Call, calls: int) -> float:
        for _ in range(calls):
            call()
        self.asked.append(f"batch of {calls}")
        return 0.5

    def peak_memory(self, call: Call) -> Memory:
        return Memory()

    def conditions(self) -> dict[str, float | str]:
        return {}

    def release_memory(self) -> None:
        pass


def test_cold_flushes_before_each_single_call() -> None:
    device = CountingDevice()
    mode = open_mode("cold", device, lambda: None, warm_ms=0.01)
    assert mode.calls == 1
    assert [mode.sample(), mode.sample()] == [1.0, 1.0]
    assert device.asked == ["flush", "one", "flush", "one"]


@pytest.mark.parametrize(("warm_ms", "calls"), [(0.01, 100), (0.3, 4), (2.0, 1), (0.0, 10_000)])
def test_hot_batches_calls_to_a_millisecond(warm_ms: float, calls: int) -> None:
    device = CountingDevice()
    made: list[int] = []
    mode = open_mode("hot", device, lambda: made.append(1), warm_ms)
    assert mode.calls == calls
    assert mode.sample() == 0.5
    assert device.asked == [f"batch of {calls}"]
    assert len(made) == calls


def test_a_mode_it_does_not_know_is_refused() -> None:
    with pytest.raises(MeasureError, match="lukewarm"):
        open_mode("lukewarm", CountingDevice(), lambda: None, 1.0)
