"""Interpolations (``${…}``): which sections of a config read which others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ENVIRONMENT = re.compile(r"\$\{oc\.env:[^${}]*\}")
_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)((?:\.\w+)*)\}")

Reads = set[str] | None
"""Top-level keys that are read; None where that isn't known (relative or nested interpolations)."""


def constant(text: str) -> bool:
    """Whether a string's interpolations read the environment and nothing of the config."""
    return "${" not in _ENVIRONMENT.sub("", text)


def reads(value: Any) -> Reads:
    """The top-level keys that the interpolations inside a plain value read."""
    if isinstance(value, str):
        if "${" not in value:
            return set()
        text = _ENVIRONMENT.sub("", value)
        heads = {match[1] for match in _REFERENCE.finditer(text)}
        return heads if "${" not in _REFERENCE.sub("", text) else None
    found: set[str] = set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        more = reads(item)
        if more is None:
            return None
        found |= more
    return found


def joined(a: Reads, b: Reads) -> Reads:
    """What either reads."""
    return None if a is None or b is None else a | b


def closure(name: str, table: Mapping[str, Reads]) -> Reads:
    """Everything that a section reads, directly or through what it reads."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        direct = table.get(todo.pop(), set())
        if direct is None:
            return None
        todo += direct - seen
        seen |= direct
    return seen
