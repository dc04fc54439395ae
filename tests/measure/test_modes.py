"""Modes on a device that only counts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from harness.errors import MeasureError
from harness.measure.binding import Binding
from harness.measure.device import Call, MeasuredDevice
from harness.measure.modes import graph_calls, open_mode
from harness.measure.sampling import sample_series
from harness.measure.warmup import FEW_CALLS, SteadyClock, warm_up
from harness.model import Device, Memory, Timing


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


@pytest.mark.parametrize(("warm_ms", "calls"), [(0.01, 100), (0.3, 4), (0.0, 10_000)])
def test_hot_batches_calls_to_a_millisecond(warm_ms: float, calls: int) -> None:
    device = CountingDevice()
    made: list[int] = []
    mode = open_mode("hot", device, lambda: made.append(1), warm_ms)
    assert mode.calls == calls
    assert mode.sample() == 0.5
    assert device.asked == [f"batch of {calls}"] * 2, "one untimed, to see that it is long enough"
    assert len(made) == 2 * calls


def test_a_batch_that_turns_out_too_short_is_filled_up() -> None:
    """Calls back to back take 0.5 ms here, though a single one took 2."""
    device = CountingDevice()
    mode = open_mode("hot", device, lambda: None, warm_ms=2.0)
    assert mode.calls == 3
    assert device.asked == ["batch of 1", "batch of 3"]


def test_sustained_batches_calls_to_a_tenth_of_a_second_and_never_flushes() -> None:
    device = CountingDevice()
    mode = open_mode("sustained", device, lambda: None, warm_ms=4.0)
    assert mode.calls == 250, "back to back they take 0.5 ms each"
    assert [mode.sample(), mode.sample()] == [0.5, 0.5]
    assert device.asked == ["batch of 25", *["batch of 250"] * 3]


def test_host_times_from_an_idle_device_to_an_idle_one() -> None:
    device = CountingDevice()
    mode = open_mode("host", device, lambda: device.asked.append("call"), warm_ms=1.0)
    assert mode.calls == 1
    assert mode.sample() > 0
    assert device.asked == ["flush", "synchronize", "call", "synchronize"]


class GraphDevice(CountingDevice):
    """Has graphs: replaying one makes its calls."""

    def capture(self, calls: Sequence[Call]) -> Call:
        self.asked.append(f"capture of {len(calls)}")

        def replay() -> None:
            for call in calls:
                call()

        return replay

    def free_memory(self) -> int | None:
        return 10**9


def test_a_graph_is_one_sample_of_all_its_calls() -> None:
    device, made = GraphDevice(), []
    calls = [lambda at=at: made.append(at) for at in range(4)]
    mode = open_mode("graph", device, calls[-1], 1.0, calls)
    assert mode.calls == 4
    assert mode.sample() == 0.25
    assert device.asked == ["capture of 4", "flush", "one"]
    assert made == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("warm_ms", "input_bytes", "free_bytes", "calls"),
    [
        (0.01, 1000, None, 20),
        (0.3, 1000, 10**9, 4),
        (5.0, 1000, 10**9, 1),
        (0.01, 10**8, 10**9, 2),
        (0.01, 10**9, 10**9, 1),
    ],
)
def test_a_graph_holds_a_millisecond_of_calls_as_far_as_memory_goes(
    warm_ms: float, input_bytes: int, free_bytes: int | None, calls: int
) -> None:
    assert graph_calls(warm_ms, input_bytes, free_bytes) == calls


def test_each_call_of_a_graph_has_inputs_of_its_own_and_fresh_values() -> None:
    read: list[tuple[int, float]] = []

    def kernel(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        read.append((inputs["q"].data_ptr(), float(inputs["q"][0])))
        return inputs["q"] * 2

    binding = Binding(kernel, {"q": torch.zeros(4)}, "forward", ("q",))
    binding.prepare()
    values = [{"q": torch.full((4,), 1.0)}, {"q": torch.full((4,), 2.0)}]
    timing = Timing("graph", warmup_s=0.0, min_time_s=0.0, min_samples=6, relative_ci=0.5)
    series = sample_series(binding, GraphDevice(), timing, values, seed=0)
    assert series.calls_per_sample == 1, "the counting device says that a call takes 1 ms"
    series = sample_series(binding, FastGraphDevice(), timing, values, seed=0)
    rounds = read[-20 * len(series.samples_ms) :]
    for start in range(0, len(rounds), 20):
        addresses = [address for address, _ in rounds[start : start + 20]]
        assert len(set(addresses)) == 20
        assert addresses[-1] == binding.inputs["q"].data_ptr()
    assert {value for _, value in rounds} == {1.0, 2.0}
    assert series.calls_per_sample == 20
    assert torch.equal(series.last_raw, values[series.last_values]["q"] * 2)
    assert torch.equal(binding.inputs["q"], values[series.last_values]["q"])


class FastGraphDevice(GraphDevice):
    """Its calls take 10 µs."""

    def time_one(self, call: Call) -> float:
        call()
        return 0.01


def test_a_cpu_has_no_graphs() -> None:
    with pytest.raises(MeasureError, match="no graphs"):
        open_mode("graph", CountingDevice(), lambda: None, 1.0, [lambda: None])


def test_a_mode_it_does_not_know_is_refused() -> None:
    with pytest.raises(MeasureError, match="lukewarm"):
        open_mode("lukewarm", CountingDevice(), lambda: None, 1.0)


class RisingClock(CountingDevice):
    """A GPU whose clock rises for 30 readings, then stays (or goes up and down for ever)."""

    def __init__(self, *, settles: bool) -> None:
        super().__init__()
        self._settles, self.readings = settles, 0

    def clock_mhz(self) -> float | None:
        self.readings += 1
        return 500.0 + 50 * (min(self.readings, 30) if self._settles else self.readings % 2)


def test_warm_up_goes_on_until_the_clock_is_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.measure.warmup.LOOK_EVERY_S", 0.0)
    monkeypatch.setattr("harness.measure.warmup.STABLE_S", 0.001)
    device = RisingClock(settles=True)
    warm = warm_up(lambda: None, device, 0.0)
    assert warm.stable
    assert device.readings >= 30
    monkeypatch.setattr("harness.measure.warmup.EXTRA_S", 0.02)
    assert not warm_up(lambda: None, RisingClock(settles=False), 0.0).stable


def test_a_clock_that_cannot_be_read_needs_the_least_time_alone() -> None:
    device = CountingDevice()
    assert warm_up(lambda: None, device, 0.0).stable
    assert device.asked == ["one"] * FEW_CALLS


def test_one_slow_call_does_not_size_the_batches() -> None:
    class Stumbling(CountingDevice):
        def time_one(self, call: Call) -> float:
            super().time_one(call)
            return 100.0 if len(self.asked) == FEW_CALLS else 1.0

    assert warm_up(lambda: None, Stumbling(), 0.0).warm_ms == 1.0


def test_clock_readings_agree_only_once_they_span_the_time_asked_for() -> None:
    steady = SteadyClock()
    assert [steady.add(t / 100, 1900.0) for t in range(7)] == [False] * 5 + [True] * 2
    assert not steady.add(0.07, 1500.0)
    assert [steady.add(0.08 + t / 100, 1500.0) for t in range(6)][-1]
