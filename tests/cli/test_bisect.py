"""``attnbench bisect`` on a real repository whose kernel errs more from one commit on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.store import open_store
from tests.cli.conftest import TINY

YAML = """\
name: mine
file: mine.py
limits: {cpu: {dtypes: [fp32], masks: [full]}}
"""
KERNEL = '''\
"""Attention in {dtype}, whatever the inputs are in."""

import torch


def build(problem, device, options):
    def fn(inputs):
        q, k, v = (inputs[name].to(torch.{dtype}) for name in "qkv")
        return torch.nn.functional.scaled_dot_product_attention(q, k, v).to(inputs["q"].dtype)

    return fn
'''
STEPS = (
    ("exact", "float64"),
    ("doesn't import", None),
    ("repaired", "float64"),
    ("rounds", "float32"),
)
"""Commits, and what each computes in: its error, unlike its time, is the same on any machine."""


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(empty_folder: Path) -> tuple[Path, dict[str, str]]:
    """A folder of kernels in a repository, and its commits by subject."""
    root = empty_folder / "repo"
    (root / "mine" / "conf" / "kernel").mkdir(parents=True)
    (root / "mine" / "conf" / "kernel" / "mine.yaml").write_text(YAML)
    git(root, "init", "-q", "-b", "main")
    commits = {}
    for number, (subject, dtype) in enumerate(STEPS):
        text = "import nothing_of_this_name\n" if dtype is None else KERNEL.format(dtype=dtype)
        (root / "mine" / "mine.py").write_text(f"{text}\n# {number}\n")
        (root / "notes.md").write_text(subject)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", subject)
        commits[subject] = git(root, "rev-parse", "HEAD")
        (root / "notes.md").write_text(f"{subject} again")
        git(root, "commit", "-q", "-am", f"notes {number}")
    return root, commits


def attnbench(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def series_of(root: Path) -> str:
    cell = [*TINY, "kernel=mine", "workload.seq_len=32", "workload.causal=false"]
    done = attnbench(
        "run", "--kernels", str(root / "mine"), *cell, "timing.launches=1", "cluster=inline"
    )
    assert done.exit_code == 0, done.output
    with open_store("results/attnbench.db", read_only=True) as store:
        (record,) = store.records()
    return str(record.series_key)


def test_the_commit_that_moved_a_series_is_found_past_one_that_doesnt_import(
    repository: tuple[Path, dict[str, str]],
) -> None:
    root, commits = repository
    series = series_of(root)
    ends = ["--good", commits["exact"], "--bad", commits["rounds"], "--metric", "error"]
    ends += ["--cluster", "inline", "--launches", "3"]
    done = attnbench("bisect", series[:8], *ends, "--format", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["first_bad"] == commits["rounds"]
    tried = {one["commit"]: one for one in found["tried"]}
    assert tried[commits["doesn't import"]]["found"] == "skipped"
    assert "nothing_of_this_name" in tried[commits["doesn't import"]]["why"]
    assert tried[commits["repaired"]]["found"] == "good"
    assert found["move"] > 2
    assert set(tried) <= set(commits.values()), "commits that leave the kernels alone aren't tried"
    assert git(root, "worktree", "list").count("\n") == 0, "its work trees are gone"
    assert git(root, "status", "--porcelain") == ""


def test_what_doesnt_move_here_is_said_and_commits_that_dont_build_too(
    repository: tuple[Path, dict[str, str]],
) -> None:
    root, commits = repository
    series = series_of(root)
    given = ["bisect", series, "--cluster", "inline", "--launches", "2", "--metric", "error"]
    same = attnbench(*given, "--good", commits["exact"], "--bad", commits["repaired"])
    assert same.exit_code == 3, same.output
    assert "the move doesn't show here" in same.stderr
    for words, said in (
        (["--good", "main", "--bad", commits["exact"]], "is no ancestor of"),
        (["--good", "deadbeef", "--bad", "main"], "commit deadbeef isn't in"),
        ([], "history knows no worsening"),
        (["--good", commits["exact"], "--bad", "main", "--build", "exit 3"], "ended with 3"),
        (["--good", commits["exact"], "--bad", "main", "--metric", "tflops"], "bisect measures"),
        (["--good", commits["exact"], "--bad", "main", "--launches", "1"], "two or more"),
        (["--good", commits["doesn't import"], "--bad", "main"], "an end of the search, fails"),
    ):
        done = attnbench(*given, *words)
        assert done.exit_code == 2, done.output
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert attnbench("bisect", "zzz", "--good", "a", "--bad", "b").exit_code == 2
