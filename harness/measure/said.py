"""What a kernel said, in words that every store keeps: its exceptions may hold, or be, anything."""

from __future__ import annotations

MOST = 16_384
"""Characters kept of a text."""


def words(error: BaseException) -> str:
    """``str(error)``; where that raises too, what it raised."""
    try:
        return str(error)
    except Exception as worse:  # noqa: BLE001 - its __str__ is the kernel's code
        return f"(its message raises {type(worse).__name__})"


def first_line(error: BaseException) -> str:
    """The first line of its words that isn't blank."""
    lines = words(error)[:MOST].splitlines()
    return next((line for line in lines if line.strip()), "(no message)")[:500]


def kept(text: str) -> str:
    """``text`` without what a database refuses (NUL, lone surrogates), cut in its middle.

    A traceback says where at its beginning and what at its end.
    """
    if len(text) > MOST:
        half = MOST // 2
        text = f"{text[:half]}\n[{len(text) - MOST} characters cut]\n{text[-half:]}"
    return text.encode("utf-8", "replace").decode().replace("\0", "␀")
