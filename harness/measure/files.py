"""The files that a kernel is made of: its Python file, the folder beside it, what those include."""

from __future__ import annotations

import re
from pathlib import Path

INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]+"([^"\n]+)"', re.MULTILINE)


def source_files(path: Path) -> list[Path]:
    """The kernel's file ``path``, the files of the folder ``x/`` beside ``x.py``, sorted, and then
    what those include in quotes from elsewhere, at any depth. What isn't there is left out."""
    folder = path.with_suffix("")
    own = sorted(f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    found = dict.fromkeys(own)
    waiting = list(own)
    while waiting:
        file = waiting.pop()
        for name in INCLUDE.findall(file.read_bytes()):
            other = (file.parent / name.decode()).resolve()
            if other.is_file() and other not in {f.resolve() for f in found}:
                found[other] = None
                waiting.append(other)
    return [path, *own, *sorted(f for f in found if f not in own)]
