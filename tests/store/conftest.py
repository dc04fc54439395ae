from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store import Store, open_store
from tests.store.make import SWEEP

ENGINES = ("sqlite", "postgres")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "attnbench.db"


@pytest.fixture(scope="session")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a sweep, made once: making one takes Alembic 0.1 s."""
    path = tmp_path_factory.mktemp("new") / "attnbench.db"
    open_store(str(path), create=True).close()
    return path


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a new store without a sweep: a test that asks for it runs on every engine."""
    return new_url(request, request.param)


def new_url(request: pytest.FixtureRequest, engine: str) -> str:
    """A new store without a sweep on ``engine``; the server starts when first asked for."""
    if engine == "postgres":
        return str(request.getfixturevalue("postgres").store())
    path = request.getfixturevalue("path")
    shutil.copyfile(request.getfixturevalue("new_file"), path)
    return str(path)


@pytest.fixture
def empty_url(request: pytest.FixtureRequest) -> str:
    """Where a store can be made: a file that isn't there. Overridden by parametrizing it."""
    if getattr(request, "param", "sqlite") == "postgres":
        return str(request.getfixturevalue("postgres").empty())
    return str(request.getfixturevalue("path"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A new store in which SWEEP is running, on every engine."""
    with open_store(url) as store:
        store.start_sweep(SWEEP)
        yield store


@pytest.fixture
def sqlite_store(new_file: Path, path: Path) -> Iterator[Store]:
    """The same in a file, for what only files do."""
    shutil.copyfile(new_file, path)
    with open_store(str(path)) as store:
        store.start_sweep(SWEEP)
        yield store
