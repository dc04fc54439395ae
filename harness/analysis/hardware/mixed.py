"""What besides the hardware isn't the same on all GPUs: software, kernels' sources, protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

SOFTWARE = {
    "torch": "torch",
    "cuda": "CUDA",
    "python": "Python",
    "harness": "attnbench",
}
SHORT = 12
"""Characters of a hash that are shown."""


@dataclass(frozen=True)
class Mixed:
    """One fact that differs between GPUs, or on one of them."""

    what: str
    """Its name: ``torch``, ``source of sdpa_flash``, ``timing.budget_s``."""
    by_gpu: dict[str, tuple[str, ...]]
    """Its values by GPU, sorted; a GPU where it isn't known has none."""

    @property
    def text(self) -> str:
        """In words."""
        parts = (f"{gpu} {', '.join(values) or 'unknown'}" for gpu, values in self.by_gpu.items())
        return f"{self.what} differs: {'; '.join(parts)}"


def mixed(frame: pd.DataFrame) -> list[Mixed]:
    """What differs in the cells that are compared; a kernel counts where several GPUs ran it.

    The driver is left out: it belongs to a machine, and differs between most.
    """
    found = [Mixed(title, _values(frame, column)) for column, title in SOFTWARE.items()]
    for kernel, mine in frame.groupby("kernel"):
        if mine["gpu"].nunique() > 1:
            hashes = mine.assign(source=mine["source_hash"].astype("string").str[:SHORT])
            found.append(Mixed(f"source of {kernel}", _values(hashes, "source")))
            found.append(Mixed(f"library of {kernel}", _values(mine, "library_version")))
    found += _protocol(frame)
    return [one for one in found if _differs(one)]


def _differs(one: Mixed) -> bool:
    sets = {values for values in one.by_gpu.values() if values}
    return len(one.by_gpu) > 1 and (len(sets) > 1 or any(len(values) > 1 for values in sets))


def _values(frame: pd.DataFrame, column: str) -> dict[str, tuple[str, ...]]:
    out = {}
    for gpu, mine in frame.groupby("gpu"):
        known = mine[column].dropna().astype(str)
        out[str(gpu)] = tuple(sorted(set(known) - {""}))
    return out


def _protocol(frame: pd.DataFrame) -> Iterator[Mixed]:
    settings: dict[str, dict[str, set[str]]] = {}
    for gpu, mine in frame.groupby("gpu"):
        for text in mine["timing"].dropna().unique():
            facts: dict[str, Any] = json.loads(text)
            for name, value in facts.items():
                settings.setdefault(name, {}).setdefault(str(gpu), set()).add(str(value))
    for name, by_gpu in sorted(settings.items()):
        if name != "mode":  # cells of two modes never meet in a row
            yield Mixed(
                f"timing.{name}", {gpu: tuple(sorted(found)) for gpu, found in by_gpu.items()}
            )
