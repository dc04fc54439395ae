"""A disk that fills up: one line, what was stored is intact, and what wasn't is in a file.

A limit on the size of files (RLIMIT_FSIZE), in a process of its own, refuses a write as a full disk
does. (SQLite then says "disk I/O error", and "database or disk is full" for ENOSPC.)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.model import Record
from harness.store import Store, open_store
from harness.store.merge import merge
from harness.store.upkeep import check
from tests.store.make import SWEEP, record

ROOT = Path(__file__).parents[2]
SIZE = 600_000
"""Bytes that a file may have: more than an empty store takes, less than what is to be stored."""
COUNT = 60
"""Records that are to be stored, in 1 MB and more."""

LIMITED = f"""
import resource, sys
from pathlib import Path
from harness.errors import AttnbenchError
from harness.dispatch.storing import Storing
from harness.store import open_store
from harness.store.merge import merge
from tests.store.make import SWEEP, record
from tests.store.test_full_disk import COUNT, measured
resource.setrlimit(resource.RLIMIT_FSIZE, ({SIZE}, resource.RLIM_INFINITY))

def room(*_):
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

def append(path, sleep, patience_s):
    with open_store(path) as store:
        folder = Path(path).parent
        say = lambda line: print("SAID", line)
        storing = Storing(
            store, SWEEP.id, say, folder=folder, sleep=sleep, patience_s=patience_s
        )
        for seq in range(1, COUNT + 1):
            storing.append(measured(seq))
            print("STORED", seq)

def merged(path, source):
    with open_store(source) as one, open_store(path) as other:
        merge(one, other)

try:
    {{}}
except AttnbenchError as error:
    print("ERROR", error)
"""


def measured(seq: int) -> Record:
    """A record that takes some room."""
    return record(seq, samples_ms=tuple(1 + i / (seq + 7) for i in range(2000)))


def limited(call: str) -> dict[str, list[str]]:
    """What a process says that may write files of SIZE bytes alone, by its first word."""
    command = [sys.executable, "-c", LIMITED.format(call)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, list[str]] = {"SAID": [], "STORED": [], "ERROR": []}
    for line in done.stdout.splitlines():
        kind, _, text = line.partition(" ")
        said[kind].append(text)
    return said


@pytest.fixture
def begun(sqlite_store: Store, path: Path) -> Path:
    """The file of a store in which SWEEP runs."""
    sqlite_store.close()
    return path


def test_a_sweep_on_a_full_disk_keeps_its_record_in_a_file_and_ends_with_a_line(
    begun: Path,
) -> None:
    said = limited(f"append({str(begun)!r}, lambda s: None, 30)")
    stored = len(said["STORED"])
    assert 0 < stored < COUNT
    (line,) = said["ERROR"]
    assert "the disk full" in line
    assert "attnbench store import" in line
    with open_store(str(begun)) as store:
        assert check(store, deep=True) == []
        assert list(store.records()) == [measured(seq) for seq in range(1, stored + 1)]
    (file,) = begun.parent.glob("unstored-*.jsonl")
    imported = CliRunner().invoke(app, ["store", "import", str(file), "--store", str(begun)])
    assert imported.exit_code == 0, imported.output
    with open_store(str(begun)) as store:
        assert list(store.records()) == [measured(seq) for seq in range(1, stored + 2)]


def test_a_sweep_goes_on_when_room_is_made(begun: Path) -> None:
    said = limited(f"append({str(begun)!r}, room, 30)")
    assert said["ERROR"] == []
    waits, goes_on = said["SAID"]
    assert "the disk full" in waits
    assert "answers again" in goes_on
    with open_store(str(begun)) as store:
        assert check(store) == []
        assert len(list(store.records())) == COUNT
    assert list(begun.parent.glob("unstored-*")) == []


def test_a_merge_into_a_full_disk_is_run_again(begun: Path, new_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "source.db"
    shutil.copyfile(new_file, path)
    with open_store(str(path)) as source:
        source.start_sweep(SWEEP)
        source.append_many(measured(seq) for seq in range(1, COUNT + 1))
    (line,) = limited(f"merged({str(begun)!r}, {str(path)!r})")["ERROR"]
    assert "the disk full" in line
    with open_store(str(path)) as source, open_store(str(begun)) as target:
        assert check(target) == []
        assert merge(source, target).results == COUNT
        assert list(target.records()) == list(source.records())
        assert check(target, deep=True) == []
