"""Versions of a kernel side by side: commits of its repository, checked out beside it and measured.

Each version is a job of its own under a name of its own, so that one run measures them in turns: in
every round a fresh process, the versions of one problem as neighbours on one board.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.config.paths import kernels_dir
from harness.dispatch.base import Dispatcher, Finished
from harness.dispatch.rounds import requests_in_rounds
from harness.errors import KernelError
from harness.measure.loader import kernel_path
from harness.measure.revision import harness_commit, kernel_revision
from harness.model import Job, Kernel, Record

MARK = "__at_"
"""What stands between a kernel's name and its version's."""
BUILD_LIMIT_S = 1800.0
"""How long a build command may take."""


class NoVersion(KernelError):
    """A commit whose kernel isn't there, or doesn't build."""


def folder_of(kernel: Kernel) -> Path:
    """The folder that its file is relative to."""
    return (Path(kernel.folder) if kernel.folder else kernels_dir()).resolve()


def repository_of(kernel: Kernel) -> Path:
    """The repository around the kernel's folder. Raises KernelError where there is none."""
    folder = folder_of(kernel)
    if not folder.is_dir():
        raise KernelError(
            f"kernel {kernel.name}: its folder {folder} isn't on this machine; --kernels DIR names "
            "where it is here"
        )
    found = _git(folder, "rev-parse", "--show-toplevel")
    if found.returncode:
        raise KernelError(f"kernel {kernel.name}: {folder} lies in no git repository")
    return Path(found.stdout.strip()).resolve()


def commit_named(root: Path, text: str) -> str:
    """The commit's 40 digits. Raises KernelError where the repository has none of that name."""
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    if found.returncode:
        raise KernelError(
            f"commit {text} isn't in {root}: fetch it, or name one that is (git log --oneline)"
        )
    return found.stdout.strip()


def commits_between(root: Path, good: str, bad: str, paths: Sequence[str] = ()) -> list[str]:
    """Commits after ``good`` up to ``bad``, the oldest first; with ``paths``, those that touch them
    (``bad`` stands at the end in any case).

    Raises:
        KernelError: ``good`` is no ancestor of ``bad``.
    """
    if _git(root, "merge-base", "--is-ancestor", good, bad).returncode:
        raise KernelError(f"{good[:12]} is no ancestor of {bad[:12]}: nothing lies between them")
    span = ["rev-list", "--reverse", "--topo-order", "--ancestry-path", f"{good}..{bad}"]
    found = _git(root, *span, "--", *paths).stdout.split()
    return found if found and found[-1] == bad else [*found, bad]


@contextmanager
def checked_out(kernel: Kernel, commit: str, build: str = "") -> Iterator[Kernel]:
    """The kernel as of ``commit``, in a work tree that is removed afterwards; ``build`` is a shell
    command that runs in its root first. Its name says the version.

    Raises:
        NoVersion: the commit has no such file, or the build command fails; the reason says which.
        KernelError: git can't check it out.
    """
    root = repository_of(kernel)
    inside = folder_of(kernel).relative_to(root)
    with tempfile.TemporaryDirectory(prefix="attnbench-") as parent:
        tree = Path(parent) / commit[:12]
        made = _git(root, "worktree", "add", "--detach", "--force", str(tree), commit)
        if made.returncode:
            raise KernelError(f"git worktree add {commit[:12]}: {made.stderr.strip()}")
        try:
            if build:
                _build(build, tree)
            name = f"{kernel.name}{MARK}{commit[:12]}"
            version = replace(kernel, folder=str((tree / inside).resolve()), name=name)
            try:
                kernel_path(version)
            except KernelError as error:
                raise NoVersion(f"no {kernel.file} at {commit[:12]}") from error
            yield version
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def _build(command: str, tree: Path) -> None:
    try:
        done = subprocess.run(
            command,
            shell=True,
            cwd=tree,
            capture_output=True,
            text=True,
            timeout=BUILD_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoVersion(f"`{command}` took more than {BUILD_LIMIT_S:.0f} s") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise NoVersion(f"`{command}` ended with {done.returncode}: {said[-1]}")


def measure(
    jobs: Sequence[Job], dispatcher: Dispatcher, launches: int, sweep_id: str, first: int = 0
) -> dict[str, list[Record]]:
    """Final records by kernel name of ``launches`` rounds, numbered from ``first`` on, so that no
    round repeats the values of an earlier one. Names must differ where problems don't.
    """
    cells = [replace(job, timing=replace(job.timing, launches=launches)) for job in jobs]
    revisions = {job.kernel.name: kernel_revision(job.kernel) for job in cells}
    planned = requests_in_rounds(cells, sweep_id, revisions, harness_commit())
    requests = [replace(request, launch=request.launch + first) for request in planned]
    out: dict[str, list[Record]] = {job.kernel.name: [] for job in cells}
    for event in dispatcher.run(requests):
        if isinstance(event, Finished) and event.final:
            out[event.record.kernel.name].append(event.record)
    return out


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise KernelError("git isn't installed here: versions of a kernel can't be had") from None
