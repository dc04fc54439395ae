"""Bad input: one clear line or two, exit code 2, no traceback, nothing written.

In this process, since none of these gets as far as Ray.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.model import Sweep
from harness.store import open_store
from tests.cli.conftest import TINY

CASES = {
    "unknown kernel": (["run", "kernel=eagr"], ["eagr", "eager"]),
    "unknown experiment": (["run", "experiment=quikstart"], ["quikstart", "quickstart"]),
    "unknown workload": (["run", "workload=llama3_8"], ["llama3_8", "llama3_8b"]),
    "unknown key": (["run", "workload.seqlen=128"], ["seqlen", "seq_len"]),
    "unknown group": (["run", "kernels=eager"], ["kernels", "kernel"]),
    "wrong type": (["run", "workload.seq_len=long"], ["workload.seq_len", "long"]),
    "unknown dtype": (["run", "dtype=fp31"], ["fp31", "fp32"]),
    "unknown mode": (["run", "timing.mode=lukewarm"], ["lukewarm", "cold"]),
    "heads that don't divide": (
        ["run", "workload=llama3_8b", "workload.heads_kv=5"],
        ["32", "5", "multiple"],
    ),
    "zero length": (["run", "workload.seq_len=0"], ["0"]),
    "negative batch": (["run", "workload.batch=-1"], ["-1", "batch"]),
    "a comma without -m": (["run", "kernel=eager,numpy"], ["-m"]),
    "a list for a group": (["run", "-m", "kernel=[eager,numpy]"], ["kernel"]),
    "a GPU that isn't here": (["run", "gpu=h100"], ["h100"]),
    "an override that isn't one": (["run", "quickstart"], ["quickstart"]),
    "no such kernels folder": (["run", "--kernels", "nowhere", *TINY], ["nowhere"]),
    "an unknown option": (["run", "--fast"], ["--fast"]),
    "an unknown command": (["ruin"], ["ruin"]),
    "nothing to resume": (["run", *TINY, "kernel=eager", "resume=true"], ["resume"]),
    "no such sweep": (["run", *TINY, "kernel=eager", "resume=20200101-000000-aaaaaa"], ["2020"]),
    "no store": (["results"], ["results/attnbench.db"]),
    "no store to report on": (["report"], ["results/attnbench.db"]),
    "a bad since": (["results", "--since", "yesterday-ish"], ["yesterday-ish"]),
    "a bad status": (["results", "--status", "fine"], ["fine"]),
    "a self-test of one launch": (["selftest", *TINY], ["timing.launches", "1"]),
    "a self-test in this process": (["selftest", *TINY, "cluster=inline"], ["cluster=inline"]),
    "a self-test of no kernel": (["selftest", *TINY, "kernel=eagr"], ["eagr", "eager"]),
    "an option the kernel doesn't have": (
        ["run", *TINY, "kernel=eager", "+kernel.options.softmx=fp32"],
        ["softmx", "softmax", "eager"],
    ),
    "a report that can't be written": (
        ["run", *TINY, "kernel=eager", "--report", "/proc/none/report.html"],
        ["/proc/none/report.html"],
    ),
    "impossible budget": (["run", *TINY, "timing.budget_s=0"], ["budget_s", "0"]),
    "budget beyond the time-out": (
        ["run", *TINY, "timing.budget_s=9", "timing.timeout_s=5"],
        ["timeout_s=5", "budget_s=9", "raise"],
    ),
    "an unknown mode": (["run", *TINY, "timing.mode=lukewarm"], ["lukewarm", "cold", "sustained"]),
    "a graph on a CPU": (
        ["run", *TINY, "timing.mode=graph"],
        ["timing.mode=graph", "cold, hot and sustained"],
    ),
    "host on a CPU": (["run", *TINY, "timing=host"], ["timing.mode=host", "cold, hot"]),
    "sustained for no time": (
        ["run", *TINY, "timing.mode=sustained"],
        ["min_time_s", "timing=sustained"],
    ),
}


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def files(folder: Path) -> list[Path]:
    """What lies there; SQLite's own helper files come and go with any reader."""
    return sorted(p for p in folder.rglob("*") if not p.name.endswith(("-wal", "-shm")))


@pytest.mark.parametrize("name", CASES)
def test_a_clear_line_and_exit_code_2(name: str, empty_folder: Path) -> None:
    arguments, words = CASES[name]
    if {"--since", "--status"} & set(arguments):
        with open_store("results/attnbench.db", create=True) as store:
            store.start_sweep(Sweep("one"))
    before = files(empty_folder)
    done = invoke(*arguments)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    for word in words:
        assert word in done.output
    assert len([line for line in done.stderr.splitlines() if line.strip()]) <= 8
    if "sweep" not in name and "resume" not in name:  # these look into a store first
        assert files(empty_folder) == before


def test_an_unwritable_store_is_refused_before_anything_runs(empty_folder: Path) -> None:
    (empty_folder / "file").write_text("I am in the way")
    done = invoke("run", *TINY, "kernel=eager", f"store.url=sqlite:///{empty_folder}/file/x.db")
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert "file/x.db" in done.stderr


def test_a_foreign_file_is_left_as_it_was(empty_folder: Path) -> None:
    foreign = empty_folder / "notes.db"
    foreign.write_bytes(b"my diary\n" * 100)
    done = invoke("run", *TINY, "kernel=eager", f"store.url=sqlite:///{foreign}")
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert foreign.read_bytes() == b"my diary\n" * 100


def test_an_empty_matrix_says_what_emptied_it(empty_folder: Path) -> None:
    done = invoke("run", "experiment=quickstart", "gpu=cpu", "workload.seq_len=65536")
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert "exclude" in done.stderr
