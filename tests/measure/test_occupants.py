"""Other processes on a board, by a stand-in for NVML."""

from __future__ import annotations

import pytest

from harness.measure import occupants
from harness.measure.occupants import Occupants
from tests.measure.fake_nvml import FakeBoard, FakeNvml

UUID = "GPU-1"


def watched(board: FakeBoard, own: int, *, host_pid: int | None = None) -> Occupants:
    """Occupants of a board that the measuring child has opened; NVML may know it by another id."""
    found = Occupants(FakeNvml(board), wait=lambda seconds: None)
    found.before_opening()
    board.pids.append(own if host_pid is None else host_pid)
    found.opened(UUID, own)
    return found


def test_alone_on_a_board_nobody_is_foreign() -> None:
    assert watched(FakeBoard(UUID), 42).settle() == frozenset()


def test_in_a_container_ones_own_is_what_came_with_the_child() -> None:
    board = FakeBoard(UUID, pids=[7])
    assert watched(board, 42, host_pid=90042).foreign() == {7}


def test_who_leaves_is_waited_for() -> None:
    board = FakeBoard(UUID, pids=[7])
    there = watched(board, 42)
    looks = iter([None, None])

    def wait(seconds: float) -> None:
        if next(looks, "gone") == "gone" and 7 in board.pids:
            board.pids.remove(7)

    there._wait = wait
    assert there.settle() == frozenset()
    assert 7 not in board.pids


def test_who_stays_is_told_and_not_waited_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    there = watched(FakeBoard(UUID, pids=[7]), 42)
    monkeypatch.setattr(occupants, "WAIT_S", 0.0)
    assert there.settle() == {7}
    monkeypatch.setattr(occupants, "WAIT_S", 1e9)  # would never end
    assert there.settle() == {7}


def test_without_nvml_nobody_is_seen() -> None:
    there = Occupants(None)
    there.before_opening()
    there.opened(UUID, 42)
    assert there.settle() == frozenset()
