"""Each command from end to end, in a fresh process."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from harness.store import open_store
from tests.cli.conftest import TINY, Cli, attnbench_command


def test_a_sweep_from_command_to_report(cli: Cli, empty_folder: Path, zoo: Path) -> None:
    """Run with a failure among good jobs, then look at it in every way there is."""
    arguments = [*TINY, "-m", "kernel=eager,sdpa_math,raises", "workload.seq_len=16,32,48"]
    ran = cli("run", *arguments, "--kernels", str(zoo), "--report", "out/report.html")
    assert ran.returncode == 1, ran.stderr  # some jobs failed
    assert "tile size 7" in ran.stdout
    assert "results/attnbench.db" in ran.stdout
    assert "out/report.html" in ran.stdout
    page = (empty_folder / "out/report.html").read_text()
    assert "sdpa_math" in page

    table = cli("results")
    assert table.returncode == 0
    assert table.stdout.count("sdpa_math") == 3
    for place in ("nowhere/rows.csv", "."):
        refused = cli("results", "--format", "csv", "--out", place)
        assert refused.returncode == 2
        assert place in refused.stderr
        assert "Traceback" not in refused.stderr
    rows = list(csv.DictReader(io.StringIO(cli("results", "--format", "csv").stdout)))
    assert len(rows) == 9
    good = json.loads(cli("results", "--format", "json", "--status", "ok").stdout)
    assert {row["kernel"] for row in good} == {"eager", "sdpa_math"}
    assert all(row["latency_ms"] > 0 and row["max_error"] < 1e-4 for row in good)
    only = json.loads(cli("results", "--format", "json", "--kernel", "sdpa_*").stdout)
    assert len(only) == 3
    cli("results", "--format", "parquet", "--out", "r.parquet")
    assert len(pd.read_parquet(empty_folder / "r.parquet")) == 9


def test_every_result_carries_the_command_that_reproduces_it(cli: Cli) -> None:
    cli("run", *TINY, "kernel=sdpa_math", "workload.seq_len=24", "workload.causal=false")
    (row,) = json.loads(cli("results", "--format", "json").stdout)
    words = row["command"].split()
    assert words[:2] == ["attnbench", "run"]
    again = json.loads(cli("plan", *words[2:], "--format", "json").stdout)
    (job,) = again["jobs"]
    assert job["job_key"] == row["job_key"]


def test_the_composed_config_is_printed_and_nothing_runs(cli: Cli, empty_folder: Path) -> None:
    done = cli("run", "experiment=quickstart", "--cfg", "job")
    assert done.returncode == 0
    assert "seq_len" in done.stdout
    assert not list(empty_folder.iterdir())


def test_plan_as_json(cli: Cli) -> None:
    done = cli("plan", "experiment=quickstart", "gpu=cpu", "--format", "json")
    plan = json.loads(done.stdout)
    assert plan["jobs"]
    assert all(row["reason"] for row in plan["skipped"])
    assert plan["estimate_s"] > 0


def test_requests_go_to_a_bare_worker_and_come_back(cli: Cli, empty_folder: Path) -> None:
    done = cli("plan", *TINY, "kernel=eager", "workload.seq_len=16", "--format", "requests")
    (empty_folder / "requests.jsonl").write_text(done.stdout)
    python = attnbench_command()[:2]
    worker = [*python, "-m", "harness.measure", "requests.jsonl", "--out", "records.jsonl"]
    subprocess.run(worker, cwd=empty_folder, check=True, timeout=120)
    first, second = cli("store", "import", "records.jsonl"), cli("store", "import", "records.jsonl")
    assert "1 of 1" in first.stdout
    assert "0 of 1" in second.stdout
    assert len(json.loads(cli("results", "--format", "json").stdout)) == 1


@pytest.mark.parametrize("what", ["kernels", "gpus", "workloads", "experiments"])
def test_list(what: str, cli: Cli) -> None:
    assert cli("list", what).returncode == 0
    rows = json.loads(cli("list", what, "--format", "json").stdout)
    folder = Path(__file__).parents[2] / "conf" / what.removesuffix("s")
    names = {path.stem for path in folder.glob("*.yaml")} - {"local", "all"}
    assert {row[what.removesuffix("s")] for row in rows} == names


def test_doctor_says_what_is_usable(cli: Cli) -> None:
    done = cli("doctor")
    assert done.returncode == 0
    assert "target         gpu=cpu" in done.stdout
    for path in (Path(__file__).parents[2] / "conf/kernel").glob("*.yaml"):
        assert path.stem in done.stdout


def test_ctrl_c_keeps_what_is_finished_and_resume_runs_the_rest(
    cli: Cli, empty_folder: Path
) -> None:
    arguments = [*TINY, "-m", "kernel=eager", "workload.seq_len=range(16,336,16)"]
    running = subprocess.Popen(
        [*attnbench_command(), "run", *arguments],
        cwd=empty_folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    store = empty_folder / "results/attnbench.db"
    deadline = time.monotonic() + 60
    while finished(store) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(running.pid, signal.SIGINT)
    asked = time.monotonic()
    said, _ = running.communicate(timeout=30)
    assert running.returncode == 130
    assert time.monotonic() - asked < 15
    assert "resume=true" in said
    done = finished(store)
    assert 3 <= done < 20
    again = cli("run", *arguments, "resume=true")
    assert again.returncode == 0, again.stderr
    found = re.search(r"(\d+) ok", again.stdout.split("sweep ")[-1])
    assert found is not None
    assert int(found.group(1)) == 20 - done
    assert finished(store) == 20
    with open_store(str(store), read_only=True) as opened:
        assert [sweep.state for sweep in opened.sweeps()] == ["done"]


def finished(path: Path) -> int:
    """Records of a store that may not be there yet."""
    if not path.exists():
        return 0
    with open_store(str(path), read_only=True) as store:
        return sum(1 for _ in store.records())


def test_resume_refuses_a_changed_kernel(cli: Cli, empty_folder: Path, zoo: Path) -> None:
    import shutil

    mine = empty_folder / "mine"
    shutil.copytree(zoo, mine)
    arguments = [*TINY, "kernel=honest", "workload.seq_len=16", "--kernels", str(mine)]
    assert cli("run", *arguments).returncode == 0
    with (mine / "honest.py").open("a") as file:
        file.write("\n# edited\n")
    done = cli("run", *arguments, "resume=true")
    assert done.returncode == 2
    assert "source of kernel honest" in done.stderr


def test_a_kernel_is_measured_against_itself(cli: Cli, empty_folder: Path) -> None:
    small = ["kernel=sdpa_math", "workload.seq_len=32", "timing.launches=2"]
    done = cli("selftest", *TINY, *small, "--format", "json")
    assert done.returncode in (0, 1, 3), done.stderr  # a loaded machine may be too noisy
    found = json.loads(done.stdout)
    (cell,) = found["cells"]
    assert (cell["kernel"], found["launches"]) == ("sdpa_math", 2)
    assert len(cell["once_ms"]) == len(cell["again_ms"]) == 2
    assert found["detectable"] >= 0.02
    assert done.returncode == (3 if found["too_noisy"] else 0) or cell["called_different"]
    assert list(empty_folder.iterdir()) == []  # nothing of it goes into the store
