from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.store import Store, open_store
from tests.store.make import SWEEP

OTHER = replace(SWEEP, id="20260301-000000-ffffff", started_at="2026-03-01T00:00:00.000000+00:00")
"""A sweep two months after SWEEP."""


@pytest.fixture(scope="session")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a sweep, made once: making one takes Alembic 0.1 s."""
    path = tmp_path_factory.mktemp("new") / "attnbench.db"
    open_store(str(path), create=True).close()
    return path


@pytest.fixture
def store(new_file: Path, tmp_path: Path) -> Iterator[Store]:
    """A store in which SWEEP and OTHER are running."""
    path = tmp_path / "attnbench.db"
    shutil.copyfile(new_file, path)
    with open_store(str(path)) as store:
        store.start_sweep(SWEEP)
        store.start_sweep(OTHER)
        yield store
