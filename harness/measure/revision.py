"""Which version of a kernel a driver ships: its source's hash, and its commit in a repository."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from harness.measure.files import source_files
from harness.measure.loader import kernel_path, source_hash
from harness.model import Kernel, Revision


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, or None where there is no git, no repository or no commit."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@lru_cache(maxsize=64)
def _head(folder: Path) -> tuple[str, str]:
    """Commit and commit time (ISO UTC) of the repository around ``folder``; "" outside one."""
    found = _git(folder, "log", "-1", "--format=%H %ct")
    if not found:
        return "", ""
    commit, seconds = found.split()
    return commit, datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _dirty(path: Path) -> bool:
    """Whether the kernel's file or one of its sources differs from the commit."""
    files = {str(path.with_suffix("")), *map(str, source_files(path))}
    return bool(_git(path.parent, "status", "--porcelain", "--", *sorted(files)))


def kernel_revision(kernel: Kernel) -> Revision:
    """The revision of a kernel's file on this machine. Raises KernelError if it isn't there."""
    path = kernel_path(kernel).resolve()
    commit, commit_time = _head(path.parent)
    return Revision(
        source_hash=source_hash(path),
        library=kernel.library,
        commit=commit,
        commit_time=commit_time,
        dirty=bool(commit) and _dirty(path),
    )


def harness_commit() -> str:
    """The harness's own commit with ``-dirty`` where it has changes, "" outside a repository."""
    folder = Path(__file__).resolve().parent.parent
    commit, _ = _head(folder)
    if not commit:
        return ""
    return commit + ("-dirty" if _git(folder, "status", "--porcelain", "--", str(folder)) else "")
