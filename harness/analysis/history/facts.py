"""What surrounded a measurement, as flat facts, and how two sets of them differ.

A fact is a name and a text: ``torch``, ``driver``, ``kernel source``, a library's name … A fact
that wasn't recorded has no entry. Names that have a rank here are causes; the kernel's commit says
where a change lies, not why, since a commit may leave the kernel as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, str]

SOURCE = "kernel source"
COMMIT = "kernel commit"
BOARD = "board"
SETTINGS = "timing settings"
HASHES = (SOURCE, SETTINGS)
"""Facts that are hashes: that they differ is all they say."""

_FIRST = (SOURCE, SETTINGS, "version", "torch", "triton", "cuda", "cudnn", "driver")
_LAST = ("python", "os", "host", BOARD, "attnbench", "attnbench commit")
_ENVIRONMENT = {
    "torch": "torch",
    "triton": "triton",
    "cuda": "cuda",
    "cudnn": "cudnn",
    "driver": "driver",
    "python": "python",
    "os": "os",
    "harness": "attnbench",
    "harness_commit": "attnbench commit",
}


@dataclass(frozen=True)
class Difference:
    """One fact that differs between two points."""

    name: str
    """Which, e.g. ``torch``."""
    before: str
    """What it was; "" where it wasn't there."""
    after: str
    """What it became; "" where it is gone."""

    @property
    def text(self) -> str:
        """In words: ``torch 2.12.0 → 2.13.0``, ``kernel source changed``."""
        if self.name in HASHES:
            return f"{self.name} changed"
        return f"{self.name} {short(self.before) or 'none'} → {short(self.after) or 'none'}"

    @property
    def is_cause(self) -> bool:
        """Whether it could move a figure by itself."""
        return self.name != COMMIT


def short(value: str) -> str:
    """A commit or hash by its first 10 characters, anything else as it is."""
    plain = value.removesuffix("-dirty")
    if len(plain) in (40, 64) and not set(plain) - set("0123456789abcdef"):
        return plain[:10] + value[len(plain) :]
    return value


def strength(name: str) -> int:
    """How likely a fact of this name is the cause, before anything is known: low is likely."""
    if name in _FIRST:
        return _FIRST.index(name)
    return 100 + _LAST.index(name) if name in _LAST else 50


def differences(before: Facts, after: Facts) -> list[Difference]:
    """What differs, the likely cause first."""
    names = sorted(before.keys() | after.keys(), key=lambda name: (strength(name), name))
    found = (Difference(n, before.get(n, ""), after.get(n, "")) for n in names)
    return [one for one in found if one.before != one.after]


def unchanged(before: Facts, after: Facts) -> list[str]:
    """Names of the facts that are known and equal, the likely cause first."""
    same = [name for name, value in before.items() if after.get(name) == value]
    return sorted(same, key=lambda name: (strength(name), name))


def facts_of(
    environment: Mapping[str, Any] | None,
    revision: Mapping[str, Any] | None,
    device: Mapping[str, Any] | None,
    timing: Mapping[str, Any] | None,
) -> dict[str, str]:
    """The facts of a result from its rows of the tables of these names; None where it has none."""
    found: dict[str, str] = {}
    if revision is not None:
        found[SOURCE] = revision["source_hash"]
        dirty = "-dirty" if revision["dirty"] else ""
        found[COMMIT] = revision["commit"] and revision["commit"] + dirty
        if revision["library"]:
            found[revision["library"]] = revision["library_version"]
    if environment is not None:
        found |= json.loads(environment["libraries"])
        found |= {name: environment[column] for column, name in _ENVIRONMENT.items()}
    if device is not None:
        found |= {BOARD: device["uuid"], "host": device["host"]}
    if timing is not None:
        found[SETTINGS] = timing["settings"]
    return {name: value for name, value in found.items() if value}


def facts_of_external(version: str, metadata: str) -> dict[str, str]:
    """The facts of another tool's result: its version, and the texts among its metadata.

    Numbers there are statistics of the run: they differ every time.
    """
    found = {"version": version} if version else {}
    for name, value in json.loads(metadata).items():
        if isinstance(value, str) and value and name != "commit_time":
            found.setdefault(name, value)
    return found


def named(names: Iterable[str], limit: int = 6) -> str:
    """Names in a row, cut after ``limit``."""
    names = list(names)
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")
