from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store import Store, open_store


@pytest.fixture
def new_store(new_file: Path, tmp_path: Path) -> Iterator[Store]:
    """A store without a sweep."""
    path = tmp_path / "attnbench.db"
    shutil.copyfile(new_file, path)
    with open_store(str(path)) as store:
        yield store
