"""What several suites share: Ray kept to this test run, and the zoo of kernels that misbehave."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.postgres import PostgresServer

# Before anything imports ray. Token authentication would write into the home directory and change
# later clusters on this host.
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# Suites run beside each other: threads that spin while they wait would take each other's cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Device locks of this run alone: tests needn't wait for a sweep that somebody runs here.
os.environ["ATTNBENCH_LOCKS"] = tempfile.mkdtemp(prefix="attnbench-test-locks-")

ZOO = Path(__file__).parent / "zoo"


ZOO_FILES = ("wrong", "tampering", "dying")


def zoo_names() -> dict[str, str]:
    """The misbehaviours, each a function of the inputs, with the file it is in."""
    found = {}
    for file in ZOO_FILES:
        for line in (ZOO / f"{file}.py").read_text().splitlines():
            if line.startswith("def ") and "(inputs" in line:
                found[line.removeprefix("def ").split("(")[0]] = f"{file}.py"
    del found["attention"]
    return found


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kernels folder as a user has one: each misbehaviour is a kernel of that name."""
    folder = tmp_path_factory.mktemp("zoo")
    conf = folder / "conf" / "kernel"
    conf.mkdir(parents=True)
    for file in ZOO.glob("*.py"):
        shutil.copy(file, folder)
    limits = (
        "limits:\n  cpu:\n    dtypes: [fp32, bf16]\n    masks: [full, causal]\n"
        "    directions: [forward, backward, forward_backward]\n"
    )
    for name, file in zoo_names().items():
        text = f"name: {name}\nfile: {file}\noptions: {{how: {name}}}\n{limits}"
        (conf / f"{name}.yaml").write_text(text)
    neighbour = "name: neighbour\nfile: neighbour.py\noptions: {beside: nobody}\n"
    (conf / "neighbour.yaml").write_text(neighbour + limits)
    for name in ("honest", "unsupported", "broken_import", "no_build"):
        (conf / f"{name}.yaml").write_text(f"name: {name}\nfile: {name}.py\n{limits}")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real Postgres, started by the first test that asks for it."""
    from tests.postgres import running_postgres  # SQLAlchemy, which a bare worker lacks

    with running_postgres() as server:
        yield server


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, with no attnbench settings in the environment."""
    for name in ("ATTNBENCH_STORE", "ATTNBENCH_KERNELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path
