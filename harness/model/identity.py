"""Identities: canonical JSON and the hashes made of it.

An identity is the same on every machine, for ever, so a test pins golden values. Two rules keep it
so: a field that holds its default is left out (a field added later keeps every old key), and the
text that is hashed is canonical JSON (sorted keys, no spaces, floats by shortest round trip).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields
from typing import Any

KEY_LENGTH = 20  # hex digits, 80 bits: 10^9 keys collide with probability 4e-7

# one encoder for all: json.dumps makes a new one a call, half of the cost of a plan's 10^5 keys
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no spaces, ASCII, NaN and infinities refused."""
    return _ENCODER.encode(value)


def digest(value: Any) -> str:
    """The first ``KEY_LENGTH`` hex digits of the SHA-256 of ``value``'s canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:KEY_LENGTH]


def non_default_fields(noun: Any) -> dict[str, Any]:
    """The fields of a frozen dataclass that differ from their default, as plain JSON values.

    Fields without a default are always there. A field marked ``metadata={"identity": False}`` is
    description, not identity, and is left out.
    """
    out: dict[str, Any] = {}
    for f in fields(noun):
        if f.metadata.get("identity", True) is False:
            continue
        value = getattr(noun, f.name)
        if f.default is not MISSING and value == f.default:
            continue
        out[f.name] = dict(value) if isinstance(value, tuple) else value
    return out
