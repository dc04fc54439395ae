from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store import Store, open_store
from tests.store.make import SWEEP


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "attnbench.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A new store in which SWEEP is running."""
    with open_store(str(path), create=True) as store:
        store.start_sweep(SWEEP)
        yield store
