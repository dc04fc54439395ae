"""Identities: canonical JSON and the hashes made of it.

An identity is the same on every machine, for ever, so a test pins golden values. Two rules keep it
so: a field that holds its default is left out (a field added later keeps every old key), and the
text that is hashed is canonical JSON (sorted keys, no spaces, floats by shortest round trip).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any

KEY_LENGTH = 20  # hex digits, 80 bits: 10^9 keys collide with probability 4e-7

# one encoder for all: json.dumps makes a new one a call, half of the cost of a plan's 10^5 keys
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no spaces, ASCII, NaN and infinities refused."""
    return _ENCODER.encode(value)


def digest(value: Any) -> str:
    """The first ``KEY_LENGTH`` hex digits of the SHA-256 of ``value``'s canonical JSON."""
    return text_digest(canonical_json(value))


def text_digest(text: str) -> str:
    """The first ``KEY_LENGTH`` hex digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def noun_text(noun: Any) -> str:
    """The canonical JSON of ``noun.to_dict()``, kept with the noun: records share their nouns."""
    text: str | None = noun.__dict__.get("_text")
    if text is None:
        text = canonical_json(noun.to_dict())
        noun.__dict__["_text"] = text
    return text


def scalar_text(value: Any) -> str:
    """``canonical_json`` of a plain value, without the encoder's 2 µs. Raises as it does."""
    kind = type(value)
    if kind is str:
        return encode_basestring_ascii(value)
    if value is None:
        return "null"
    if kind is int or (kind is float and isfinite(value)):
        return repr(value)
    return canonical_json(value)


def numbers_text(values: tuple[float, ...]) -> str:
    """``canonical_json`` of numbers, at C speed where they are plain finite ones."""
    if set(map(type, values)) <= {float, int} and all(map(isfinite, values)):
        return repr(list(values)).replace(" ", "")
    return canonical_json(values)


@lru_cache(maxsize=1 << 16)
def cell_key(kernel_id: str, problem_key: str, where: str, name: str, mode: str) -> str:
    """Key of a job (``where`` is gpu, ``name`` its name) or series (device, and its model).

    A sweep asks for each many times, once a launch; all arguments are text, so equal ones are one.
    """
    return digest({"kernel": kernel_id, "problem": problem_key, where: name, "mode": mode})


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
