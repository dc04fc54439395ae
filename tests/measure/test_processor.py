"""What is read of a processor, from files laid out as Linux lays them out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.measure.processor import Cores, Rapl, choose_cores


def put(path: Path, text: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


@pytest.fixture
def sys_folder(tmp_path: Path) -> Path:
    """Two physical cores of two threads: 0 and 2, 1 and 3."""
    for core in range(4):
        folder = tmp_path / f"devices/system/cpu/cpu{core}"
        first = core % 2
        put(folder / "topology/thread_siblings_list", f"{first},{first + 2}")
        put(folder / "cpufreq/scaling_cur_freq", 3_000_000 + core * 100_000)
        put(folder / "cpufreq/cpuinfo_max_freq", 4_000_000)
        put(folder / "cpufreq/scaling_governor", "performance")
        put(folder / "thermal_throttle/core_throttle_count", 7)
    return tmp_path


def test_clocks_are_those_of_the_cores_in_use(sys_folder: Path) -> None:
    cores = Cores({0, 2}, sys_folder)
    assert cores.clock_mhz() == 3100.0
    assert cores.max_clock_mhz() == 4000.0
    assert cores.governor() == "performance"


def test_a_throttle_count_that_rose_is_throttling_once(sys_folder: Path) -> None:
    cores = Cores({0, 1}, sys_folder)
    assert cores.throttled_by() == ()
    put(sys_folder / "devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", 9)
    assert cores.throttled_by() == ("core_thermal",)
    assert cores.throttled_by() == ()


def test_a_system_that_shows_nothing_is_quoted_with_nothing(tmp_path: Path) -> None:
    cores = Cores({0, 1}, tmp_path)
    assert cores.clock_mhz() is cores.max_clock_mhz() is cores.governor() is None
    assert cores.throttled_by() is None


@pytest.mark.parametrize(
    ("count", "chosen"), [(1, {0}), (2, {0, 1}), (3, {0, 1, 2}), (9, {0, 1, 2, 3})]
)
def test_each_physical_core_gives_one_thread_before_any_gives_two(
    count: int, chosen: set[int], sys_folder: Path
) -> None:
    assert choose_cores([3, 2, 1, 0], count, sys_folder) == chosen


def test_cores_without_a_topology_are_taken_in_order(tmp_path: Path) -> None:
    assert choose_cores({5, 3, 4}, 2, tmp_path) == {3, 4}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: nothing to choose")
def test_a_pinned_process_stays_on_its_cores() -> None:
    script = (
        "import os; from harness.measure.processor import pin; chosen = pin(1);"
        "assert len(chosen) == 1 and os.sched_getaffinity(0) == chosen"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_rapl_sums_its_packages_and_follows_them_over_their_end(tmp_path: Path) -> None:
    power = tmp_path / "class/powercap"
    for package in range(2):
        put(power / f"intel-rapl:{package}/energy_uj", 900_000_000)
        put(power / f"intel-rapl:{package}/max_energy_range_uj", 1_000_000_000)
    put(power / "intel-rapl:0:0/energy_uj", 5)  # the cores, which are in their package already
    rapl = Rapl(tmp_path)
    assert rapl.energy_j() == 0.0
    put(power / "intel-rapl:0/energy_uj", 950_000_000)
    put(power / "intel-rapl:1/energy_uj", 30_000_000)  # it wrapped
    assert rapl.energy_j() == 50.0 + 130.0


def test_rapl_says_why_it_has_nothing(tmp_path: Path) -> None:
    assert Rapl(tmp_path).energy_j() == "this machine shows no RAPL counters"
    (tmp_path / "class/powercap/intel-rapl:0").mkdir(parents=True)
    assert "can't be read" in str(Rapl(tmp_path).energy_j())
