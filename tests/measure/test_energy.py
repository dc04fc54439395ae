"""Energy by counters of plain numbers, on a clock of plain numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.measure import energy
from harness.measure.energy import LOOP_S, measure_energy


class Machine:
    """Draws ``power_w`` while it calls, and counts it in ticks of ``tick_s``."""

    def __init__(self, power_w: float, call_ms: float, tick_s: float) -> None:
        self.now_s, self.calls = 0.0, 0
        self._power_w, self._call_ms, self._tick_s = power_w, call_ms, tick_s

    def burst(self, calls: int) -> float:
        self.calls += calls
        self.now_s += calls * self._call_ms / 1e3
        return self._call_ms

    def counter(self) -> float | str:
        ticks = int(self.now_s / self._tick_s) if self._tick_s else 0
        return 1000.0 + ticks * self._tick_s * self._power_w


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], Machine]:
    """Lets the measurement's stopwatch follow a machine's clock."""

    def follow(machine: Machine) -> Machine:
        class Watch:
            def __init__(self) -> None:
                self._start = machine.now_s

            def s(self) -> float:
                return machine.now_s - self._start

        monkeypatch.setattr(energy, "Stopwatch", Watch)
        return machine

    return follow


@pytest.mark.parametrize("tick_s", [0.001, 0.02, 0.1])
@pytest.mark.parametrize("call_ms", [0.01, 3.0, 400.0])
def test_a_calls_energy_is_its_power_times_its_time(
    tick_s: float, call_ms: float, on: Callable[[Machine], Machine]
) -> None:
    machine = on(Machine(300.0, call_ms, tick_s))
    found = measure_energy(machine.burst, machine.counter, call_ms)
    assert found["energy_j"] == pytest.approx(300.0 * call_ms / 1e3, rel=0.06)
    assert found["energy_power_w"] == pytest.approx(300.0, rel=0.06)
    assert float(found["energy_calls"]) * call_ms / 1e3 >= LOOP_S * 0.999


def test_without_a_counter_the_record_says_why(on: Callable[[Machine], Machine]) -> None:
    machine = on(Machine(300.0, 1.0, 0.02))
    found = measure_energy(machine.burst, lambda: "no RAPL here", 1.0)
    assert found == {"energy": "not measured: no RAPL here"}
    assert machine.calls == 0


def test_a_counter_that_stands_still_counts_nothing(on: Callable[[Machine], Machine]) -> None:
    machine = on(Machine(300.0, 1.0, 0.0))
    found = measure_energy(machine.burst, machine.counter, 1.0)
    assert set(found) == {"energy"}
    assert "stood still" in str(found["energy"])


def test_a_counter_that_stops_midway_counts_nothing(on: Callable[[Machine], Machine]) -> None:
    machine = on(Machine(300.0, 1.0, 0.02))

    def counter() -> float | str:
        return machine.counter() if machine.now_s < 1 else "taken away"

    assert measure_energy(machine.burst, counter, 1.0) == {"energy": "not measured: taken away"}
