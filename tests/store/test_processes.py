"""Several processes on one store, some of them killed: nothing told is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.store import open_store
from harness.store.upkeep import check
from tests.store.conftest import ENGINES
from tests.store.make import SWEEP, record

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from harness.store import open_store
from tests.store.make import SWEEP, record
url, launch, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open_store(url, create=True) as store:
    store.start_sweep(SWEEP)
    for seq in range(1, count + 1):
        assert store.append(record(seq, launch=launch))
        print(seq, flush=True)
"""


both = pytest.mark.parametrize("empty_url", ENGINES, indirect=True)


def writer(url: str, launch: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(launch), str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@both
def test_processes_that_make_and_fill_one_store_at_once_lose_nothing(
    empty_url: str, tmp_path: Path
) -> None:
    writers = [writer(empty_url, launch, 40) for launch in range(3)]
    for process in writers:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    with open_store(empty_url, read_only=True) as store:
        assert len(store.finished(SWEEP.id)) == len(list(store.records())) == 120
    assert [p.name for p in tmp_path.iterdir() if ".new" in p.name] == []


@both
def test_a_writer_killed_at_any_moment_keeps_all_it_was_told_and_nothing_half(
    empty_url: str,
) -> None:
    random.seed(1)
    rounds = 2
    told: dict[int, int] = {}
    for launch in range(rounds):
        killed, other = writer(empty_url, launch, 100_000), writer(empty_url, 100 + launch, 40)
        assert killed.stdout is not None
        killed.stdout.readline()  # it is writing
        time.sleep(random.uniform(0.05, 0.3))
        os.kill(killed.pid, 9)
        told[launch] = 1 + len(killed.stdout.readlines())
        killed.communicate()
        told[100 + launch] = len(other.communicate(timeout=60)[0].splitlines())
        assert other.returncode == 0
    with open_store(empty_url) as store:
        stored: dict[int, list[int]] = {}
        for one in store.records():
            assert one.to_dict() == record(one.problem.seq_q, launch=one.launch).to_dict()
            stored.setdefault(one.launch, []).append(one.problem.seq_q)
        for launch, count in told.items():
            # One more may be in: committed, and killed before it could say so.
            assert stored[launch] == list(range(1, len(stored[launch]) + 1))
            assert count <= len(stored[launch]) <= count + 1
        assert not store.append(record(1, launch=0)), "a resume meets what is there"
        assert check(store, deep=True) == []


@both
def test_readers_see_whole_records_while_another_process_writes(empty_url: str) -> None:
    process = writer(empty_url, 0, 60)
    assert process.stdout is not None
    process.stdout.readline()
    seen = 0
    with open_store(empty_url, read_only=True) as store:
        while process.poll() is None:
            now = list(store.records())
            assert all(len(one.samples_ms) == 7 for one in now)
            assert len(now) >= seen
            seen = len(now)
        process.communicate()
        assert process.returncode == 0
        assert len(list(store.records())) == 60
