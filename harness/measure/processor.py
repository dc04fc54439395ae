"""What a processor's system files say of it: clock, governor, throttling, energy, its threads.

Everything is optional: a container or a virtual machine shows little of it, and what isn't shown is
left out. Sources: Linux, Documentation/admin-guide/pm/cpufreq.rst, /cputopology.rst and
/abi-testing (thermal_throttle), Documentation/power/powercap/powercap.rst (RAPL).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import mean

SYS = Path("/sys")


def read_number(path: Path) -> int | None:
    """The whole number in a system file, None where there is none or it may not be read."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


class Cores:
    """The cores that a measurement runs on."""

    def __init__(self, cores: Iterable[int], root: Path = SYS) -> None:
        """``root`` stands for /sys."""
        folders = [root / f"devices/system/cpu/cpu{core}" for core in sorted(cores)]
        self._clocks = _there(folders, "cpufreq/scaling_cur_freq")
        self._limits = _there(folders, "cpufreq/cpuinfo_max_freq")
        self._throttles = _there(folders, "thermal_throttle/core_throttle_count")
        self._governors = _there(folders, "cpufreq/scaling_governor")
        self._throttled = self._throttle_count()

    def clock_mhz(self) -> float | None:
        """Mean clock of the cores just now, MHz."""
        return _mean_mhz(self._clocks)

    def max_clock_mhz(self) -> float | None:
        """The highest that a single one of them can have, MHz: all of them together rarely do."""
        return _mean_mhz(self._limits)

    def governor(self) -> str | None:
        """What chooses their clock, e.g. ``performance``."""
        try:
            return ", ".join(sorted({path.read_text().strip() for path in self._governors})) or None
        except OSError:
            return None

    def throttled_by(self) -> tuple[str, ...] | None:
        """Whether heat held a core back since this was last asked; None where nobody counts."""
        now = self._throttle_count()
        if now is None:
            return None
        before, self._throttled = self._throttled, now
        return ("core_thermal",) if before is not None and now > before else ()

    def _throttle_count(self) -> int | None:
        counts = [count for path in self._throttles if (count := read_number(path)) is not None]
        return sum(counts) if counts else None


class Rapl:
    """Energy of this machine's processor packages (Running Average Power Limit)."""

    def __init__(self, root: Path = SYS) -> None:
        """``root`` stands for /sys."""
        # The packages alone (intel-rapl:0, :1 …; AMD's too): what lies below them is in them.
        self._folders = sorted((root / "class/powercap").glob("intel-rapl:[0-9]*"))
        self._folders = [f for f in self._folders if f.name.count(":") == 1]
        self._last: dict[Path, int] = {}
        self._total_uj = 0

    def energy_j(self) -> float | str:
        """Joules since it was first asked, of all packages; or why it can't be known, in words.

        Counters wrap after minutes at full power; it must be asked more often than that.
        """
        if not self._folders:
            return "this machine shows no RAPL counters"
        for folder in self._folders:
            now = read_number(folder / "energy_uj")
            if now is None:
                return f"{folder / 'energy_uj'} can't be read (it needs root, or a udev rule)"
            spent = now - self._last.get(folder, now)
            if spent < 0:
                spent += read_number(folder / "max_energy_range_uj") or 0
            self._total_uj += max(0, spent)
            self._last[folder] = now
        return self._total_uj / 1e6


def choose_cores(allowed: Iterable[int], count: int, root: Path = SYS) -> frozenset[int]:
    """``count`` of the allowed cores, always the same: one thread of each physical core first.

    All of them where there are fewer.
    """
    ordered = sorted(allowed)
    siblings: Mapping[int, int] = {core: _rank(core, root) for core in ordered}
    return frozenset(sorted(ordered, key=lambda core: (siblings[core], core))[:count])


def _rank(core: int, root: Path) -> int:
    """Which thread of its physical core it is, from 0."""
    path = root / f"devices/system/cpu/cpu{core}/topology/thread_siblings_list"
    try:
        text = path.read_text()
    except OSError:
        return 0
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            found += range(int(first), int(last or first) + 1)
    return found.index(core) if core in found else 0


def pin(count: int) -> frozenset[int]:
    """Keep this process, and what it starts, to ``count`` fixed cores; which ones."""
    cores = choose_cores(os.sched_getaffinity(0), count)
    os.sched_setaffinity(0, cores)
    return cores


def _there(folders: Iterable[Path], name: str) -> list[Path]:
    return [folder / name for folder in folders if (folder / name).is_file()]


def _mean_mhz(paths: Iterable[Path]) -> float | None:
    found = [khz / 1000 for path in paths if (khz := read_number(path)) is not None]
    return mean(found) if found else None
