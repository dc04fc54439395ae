"""What an export consists of: its header, its things in order, its counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import harness
from harness.errors import ImportFailed
from harness.model import External, Record, params_of, utc_now
from harness.store.sweeps import StoredSweep

VERSION = 2
"""The newest version of the format: what is written, and the newest that is read."""

HEADER = "attnbench_export"

Thing = Record | External | StoredSweep | dict[str, Any]
"""What one line says; annotations are plain facts."""


@dataclass(frozen=True)
class Counts:
    """How much an export holds, or how much of it was new to a store."""

    sweeps: int = 0
    """Sweeps."""
    records: int = 0
    """Results of kernels."""
    externals: int = 0
    """Results of other tools."""
    annotations: int = 0
    """Tags, exclusions, baselines, triage and log entries."""

    @classmethod
    def of(cls, kinds: Mapping[str, int]) -> Counts:
        """From how often each kind of line came."""
        named = {"sweep": "sweeps", "record": "records", "external": "externals"}
        counts = dict.fromkeys((f.name for f in fields(cls)), 0)
        for kind, count in kinds.items():
            counts[named.get(kind, "annotations")] += count
        return cls(**counts)


class Sink(Protocol):
    """Where an export goes, line by line."""

    def put(self, kind: str, thing: Thing) -> None:
        """Write one thing."""

    def end(self, counts: Counts) -> None:
        """All is written."""

    def close(self) -> None:
        """Let go of the files, whole or not."""


def header(sweeps: Sequence[str] | None) -> dict[str, Any]:
    """What stands first."""
    return {
        "version": VERSION,
        "attnbench": harness.__version__,
        "exported_at": utc_now(),
        "sweeps": None if sweeps is None else list(sweeps),
    }


def check_header(found: Any, path: Path) -> None:
    """Raise ImportFailed unless ``found`` is the header of an export that can be read."""
    version = found.get("version") if isinstance(found, dict) else None
    if not isinstance(version, int) or version < 1:
        raise ImportFailed(f"{path} is no export of attnbench: its header says no version")
    if version > VERSION:
        raise ImportFailed(
            f"{path} has version {version} of the format, newer than {VERSION}, the newest that "
            f"attnbench {harness.__version__} reads: install {found.get('attnbench')} or later"
        )


def counts_of(found: Any, path: Path) -> Counts:
    """The counts at an export's end. Raises ImportFailed where there are none: it is cut short."""
    try:
        return Counts(**found)
    except TypeError:
        raise ImportFailed(f"{path} is cut short: its end is missing; export it again") from None


def plain(thing: Thing) -> dict[str, Any]:
    """JSON values; ``thing_of`` is the inverse."""
    if isinstance(thing, dict):
        return thing
    if isinstance(thing, Record):
        return thing.to_dict()
    facts = asdict(thing)
    if isinstance(thing, External):
        return facts | {"values": list(thing.values), "params": dict(thing.params)}
    return facts | {"overrides": list(thing.overrides)}


def thing_of(kind: str, facts: dict[str, Any]) -> Thing:
    """Inverse of ``plain``. Raises ValueError, TypeError or KeyError where it isn't one."""
    if kind == "record":
        return Record.from_dict(facts)
    if kind == "external":
        read = {"values": tuple(facts["values"]), "params": params_of(facts["params"])}
        return External(**(facts | read))
    if kind == "sweep":
        return StoredSweep(**(facts | {"overrides": tuple(facts["overrides"])}))
    return facts
