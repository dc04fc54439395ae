"""The static report: one HTML file about the records it is given, fit for mail and artifacts."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from dashboards.pages import sweep


def write_report(
    frame: pd.DataFrame,
    path: Path | str,
    *,
    baseline: str | None = None,
    title: str | None = None,
    made_from: str = "",
    command: str = "",
) -> Path:
    """Write the report of ``frame`` (a row for each record) to ``path`` and return it.

    ``baseline`` is the kernel that speed-ups are over (``tidy.baseline`` chooses where None),
    ``made_from`` names the store, ``command`` is what measures all of it again. The file appears
    whole or not at all. Raises ValueError for a baseline that is not among the kernels.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    made = f"Made by attnbench on {now}{f' from {made_from}' if made_from else ''}."
    text = sweep.page(frame, baseline=baseline, title=title, command=command, footer=made)
    return write_whole(Path(path), text)


def write_whole(path: Path, text: str) -> Path:
    """Write beside ``path``, then rename: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp's 0600 would keep a web server from reading it
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
