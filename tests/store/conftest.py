from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store import Store, open_store
from tests.store.make import SWEEP


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "attnbench.db"


@pytest.fixture(scope="session")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a sweep, made once: making one takes Alembic 0.1 s."""
    path = tmp_path_factory.mktemp("new") / "attnbench.db"
    open_store(str(path), create=True).close()
    return path


@pytest.fixture
def store(new_file: Path, path: Path) -> Iterator[Store]:
    """A new store in which SWEEP is running."""
    shutil.copyfile(new_file, path)
    with open_store(str(path)) as store:
        store.start_sweep(SWEEP)
        yield store
