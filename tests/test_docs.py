"""The documents are true: every command exists, and CONTRIBUTING's examples run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.config import paths

ROOT = Path(__file__).parents[1]
FILE_BLOCK = re.compile(r"^`([\w/.]+)`\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\.venv/bin/)?attnbench (.*)$", re.MULTILINE)


def commands(document: str) -> list[str]:
    """Command lines of a document, without their comments."""
    return [
        line.split("   #")[0].strip() for line in COMMAND.findall((ROOT / document).read_text())
    ]


@pytest.fixture
def examples(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CONTRIBUTING's files, where it says they go, over a copy of conf/."""
    shutil.copytree(ROOT / "conf", empty_folder / "conf")
    blocks = FILE_BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text())
    assert len(blocks) == 5
    for name, text in blocks:
        path = empty_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for module in ("harness.config.catalog", "harness.plan.planner"):
        monkeypatch.setattr(f"{module}.conf_dir", lambda: empty_folder / "conf")
    assert paths.conf_dir() == ROOT / "conf"
    return empty_folder


@pytest.mark.parametrize("line", commands("CONTRIBUTING.md"))
def test_contributing_plans(line: str, examples: Path) -> None:
    words = shlex.split(line)
    done = CliRunner().invoke(app, ["plan", *words[1:]])
    assert done.exit_code == 0, done.output
    assert "jobs" in done.output


def test_the_example_kernel_is_right(examples: Path) -> None:
    run = ["run", "--kernels", "mine", "kernel=tiled", "workload.causal=false", "dtype=fp32"]
    small = ["workload=gpt2", "workload.seq_len=96", "gpu=cpu", "cluster=inline", "timing=quick"]
    done = CliRunner().invoke(app, [*run, *small])
    assert done.exit_code == 0, done.output
    assert "1 ok" in done.output


RUN_ALONE = {"--cfg": 1, "--log": 1, "--detach": 0}
"""Options that ``run`` has and ``plan`` hasn't, with the number of words that follow."""


def as_plan(words: list[str]) -> list[str]:
    """The words of a run that plan can do here: no options of run's own, no cluster or database."""
    told, left = CliRunner().invoke(app, ["run", "--help"]).output, iter(words)
    out = []
    for word in left:
        if word in RUN_ALONE:
            assert word in told
            for _ in range(RUN_ALONE[word]):
                next(left)
        elif not word.startswith(("resume=", "cluster.address=", "store=")):
            out.append(word)
    return out


@pytest.mark.parametrize("line", [c for c in commands("README.md") if not set(c) & set("…>")])
def test_readme_commands_are_there(line: str, empty_folder: Path) -> None:
    """Every command line parses: plan and run are planned, the rest asked for their help."""
    words = shlex.split(line)
    if words[0] in ("run", "plan"):
        done = CliRunner().invoke(app, ["plan", *as_plan(words[1:])])
    else:
        group = 2 if words[0] == "store" else 1
        done = CliRunner().invoke(app, [*words[:group], "--help"])
        for word in words[1:]:
            if word.startswith("--"):
                assert word in done.output
    assert done.exit_code == 0, done.output


def test_every_command_has_a_help_text() -> None:
    done = CliRunner().invoke(app, ["--help"])
    listed = re.findall(r"^│ (\w+) +(\S.*?) *│$", done.output, re.MULTILINE)
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert names <= {name for name, _ in listed}
