"""NVML's answers, through a library that answers as the real one does."""

from __future__ import annotations

import ctypes

import pytest

from harness.measure import nvml
from harness.measure.nvml import Board, board_of, boards, open_nvml
from tests.measure.fake_nvml import FakeBoard, FakeNvml

UUID = "GPU-8f2b3c4d-0000-1111-2222-333344445555"


def board(**facts: object) -> Board:
    found = board_of(open_nvml(FakeNvml(FakeBoard(UUID, **facts))), UUID)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_figures_come_in_the_units_of_their_names() -> None:
    one = board(energy_mj=7_250_000_000_000)
    assert one.clock_mhz() == 1755.0
    assert one.max_clock_mhz() == 1980.0
    assert one.power_w() == 412.5
    assert one.temperature_c() == 61.0
    assert one.energy_j() == 7.25e9, "what 32 bits can't hold"
    assert one.uuid() == UUID


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (0x0, ()),
        (0x1, ("idle",)),
        (0x4 | 0x20, ("sw_power_cap", "sw_thermal")),
        (0x8 | 0x40 | 0x80, ("hw_slowdown", "hw_thermal", "hw_power_brake")),
        (0x2 | 0x10 | 0x100, ("applications_clocks", "sync_boost", "display_clocks")),
        (None, None),
    ],
)
def test_what_holds_the_clock_down_is_said_in_words(
    mask: int | None, words: tuple[str, ...] | None
) -> None:
    assert board(reasons=mask).clock_held_by() == words


def test_a_newer_driver_is_asked_by_the_newer_name() -> None:
    class Newer(FakeNvml):
        nvmlDeviceGetCurrentClocksThrottleReasons = None

        def nvmlDeviceGetCurrentClocksEventReasons(self, handle: object, out: object) -> int:
            return FakeNvml.nvmlDeviceGetCurrentClocksThrottleReasons(self, handle, out)

    found = board_of(Newer(FakeBoard(UUID, reasons=0x40)), UUID)
    assert found is not None
    assert found.clock_held_by() == ("hw_thermal",)


def test_what_a_board_does_not_support_is_none() -> None:
    silent = board(clock_mhz=None, max_clock_mhz=None, power_mw=None, energy_mj=None)
    assert silent.clock_mhz() is silent.max_clock_mhz() is silent.power_w() is None
    assert silent.energy_j() is None
    assert silent.temperature_c() == 61.0


def test_a_driver_without_a_function_is_as_one_that_does_not_support_it() -> None:
    class Old(FakeNvml):
        nvmlDeviceGetTotalEnergyConsumption = None
        nvmlDeviceGetComputeRunningProcesses_v3 = None

    found = board_of(Old(FakeBoard(UUID)), UUID)
    assert found is not None
    assert found.energy_j() is None
    assert found.process_ids() is None


@pytest.mark.parametrize("pids", [[], [12], list(range(100, 140))])
def test_all_processes_of_a_board_are_listed(pids: list[int]) -> None:
    assert board(pids=pids).process_ids() == frozenset(pids)


def test_boards_are_found_by_torch_s_form_of_their_uuid_too() -> None:
    library = FakeNvml(FakeBoard("GPU-a", clock_mhz=1), FakeBoard("GPU-b", clock_mhz=2))
    assert [found.clock_mhz() for found in boards(library)] == [1.0, 2.0]
    second = board_of(library, "b")
    assert second is not None
    assert second.clock_mhz() == 2.0
    assert board_of(library, "c") is None


def test_without_a_driver_there_is_no_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_nvml(FakeNvml(driver=False)) is None
    monkeypatch.setattr(nvml, "LIBRARY", "libnothing-of-that-name.so")
    assert open_nvml() is None


def test_a_process_takes_as_many_bytes_as_in_nvml_h() -> None:
    assert ctypes.sizeof(nvml._Process) == 24
