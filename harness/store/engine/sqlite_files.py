"""A SQLite store as a file: is it one, is somebody at work on it, where does it lie; copying it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL

from harness.errors import StoreError
from harness.store.engine.errors import translated
from harness.store.url import sqlite_path

_MAGIC = b"SQLite format 3\0"

NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.s3fs", "fuse.sshfs"}
    | {"gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs"}
    | {"smb2", "smb3", "smbfs"}
)


def exists(url: URL) -> bool:
    """Whether there is anything of that name."""
    return os.path.lexists(sqlite_path(url))


def left_open(url: URL) -> bool:
    """Whether there is a -wal with something in it."""
    wal = Path(f"{sqlite_path(url)}-wal")
    return wal.exists() and wal.stat().st_size > 0


def require(url: URL) -> None:
    """Raise StoreError unless it is a file with SQLite's header."""
    path = sqlite_path(url)
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except FileNotFoundError:
        raise StoreError(
            f"there is no store at {path}: `attnbench run …` makes it with the first sweep"
        ) from None
    except IsADirectoryError:
        raise StoreError(
            f"{path} is a folder: name a file in it, e.g. {path}/attnbench.db"
        ) from None
    except OSError as error:
        raise StoreError(f"the store {path} can't be read: {error.strerror}") from error
    if not start:
        raise StoreError(f"{path} is an empty file, not a store: remove it or name another file")
    if start != _MAGIC:
        raise StoreError(
            f"{path} is not a SQLite database, or its start is damaged: name another file"
        )


def place(draft: Path, path: Path) -> None:
    """Give the finished file its name. Raises FileExistsError where the name is taken."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        os.rename(draft, path)


def network_file_system(url: URL, mounts: Path = Path("/proc/self/mounts")) -> str | None:
    """The network file system that a SQLite store lies on, or None.

    SQLite's locks and its shared memory don't work between the machines of one: two writers damage
    the file (sqlite.org/useovernet.html, optuna#4994).
    """
    if url.get_backend_name() != "sqlite":
        return None
    folder = os.path.realpath(sqlite_path(url).absolute().parent)
    best, kind = "", None
    with contextlib.suppress(OSError):
        for line in mounts.read_text(errors="replace").splitlines():
            _, place_, name, *_ = line.split(" ")
            place_ = place_.replace("\\040", " ")
            inside = folder == place_ or folder.startswith(place_.rstrip("/") + "/")
            if inside and len(place_) >= len(best):  # a later mount covers an earlier one
                best, kind = place_, name
    return kind if kind in NETWORK_FILE_SYSTEMS else None


def backup(url: URL, target: Path) -> int:
    """Copy the file, while others may be writing to it, to a new one; its size in bytes.

    Through SQLite's backup API: a copy of the file alone would miss what is in its -wal. The file
    gets its name when it is whole.
    """
    if os.path.lexists(target):
        raise StoreError(f"{target} is there already: a backup goes to a new file")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    source = f"file:{quote(str(sqlite_path(url).absolute()))}?mode=ro"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb"):
            pass  # the system's own error, should the folder refuse files
        with (
            translated(url),
            contextlib.closing(sqlite3.connect(source, uri=True)) as reader,
            contextlib.closing(sqlite3.connect(draft)) as writer,
        ):
            reader.backup(writer)
        size = draft.stat().st_size
        place(draft, target)
    except FileExistsError:
        raise StoreError(f"{target} is there already: a backup goes to a new file") from None
    except OSError as error:
        raise StoreError(f"no backup can be written to {target}: {error.strerror}") from error
    finally:
        for rest in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(OSError):
                os.unlink(f"{draft}{rest}")
    return size
