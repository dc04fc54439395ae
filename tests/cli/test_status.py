"""status, cancel, --detach and --log, without a cluster."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.cli import progress
from harness.cli.app import app
from harness.cli.detach import entrypoint, jobs_address
from harness.cli.event_log import EventLog
from harness.dispatch.base import Finished, Started
from harness.dispatch.watch import watched
from harness.errors import ConfigError
from harness.model import Status
from harness.plan import ClusterSettings
from harness.store import open_store
from tests.dispatch.matrix import requests
from tests.store.make import SWEEP, failure, record

STORE = "results/attnbench.db"


@pytest.fixture
def stored(empty_folder: Path) -> Path:
    """A sweep of 12 records that is running: 2 ok, 3 failures, and a crash that was tried again."""
    Path("results").mkdir()
    with open_store(STORE, create=True) as store:
        store.start_sweep(SWEEP)
        store.append_many([record(1), record(2), failure(3), failure(4)])
        store.append(failure(5, Status.CRASHED, reason="SIGSEGV", flags=("retried",)))
        store.append(failure(5, Status.CRASHED, reason="SIGSEGV", attempt=1))
    return empty_folder


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == code, result.output
    return result.output


def test_status_lists_sweeps_and_tells_one_in_full(stored: Path) -> None:
    table = run("status")
    assert SWEEP.id in table
    assert "5/12" in table
    assert "running" in table
    one = run("status", "last")
    assert "1 crashed, 2 error, 2 ok" in one
    assert "2 × error: it raised" in one
    assert "1 × crashed: SIGSEGV" in one
    assert "node1: 2 good, 0 failed" in one
    (told,) = json.loads(run("status", SWEEP.id[:10], "--format", "json"))["sweeps"]
    assert (told["planned"], told["counts"]["ok"]) == (12, 2)
    assert "no sweep nothing" in run("status", "nothing", code=2)


def test_cancel_ends_a_running_sweep_and_its_driver_notices(stored: Path) -> None:
    stopped = threading.Event()
    with (
        open_store(STORE) as store,
        watched(store, SWEEP.id, stopped.set, poll_s=0.01) as cancelled,
    ):
        assert not stopped.wait(0.05)
        assert "is cancelled" in run("cancel", "last")
        assert stopped.wait(30)
        assert cancelled.is_set()
    assert "isn't running: it is interrupted" in run("cancel", "last", code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cluster.address=head:6379"], "--detach needs store=postgres"),
        (["store.url=postgresql://u@h/d"], "needs cluster.address=HOST:PORT"),
        (["store.url=postgresql://u:planted@h/d", "cluster.address=h:1"], "a password"),
        (
            ["store.url=postgresql://u@h/d", "cluster.address=127.0.0.1:1"],
            "not take|installed",
        ),
        (["--report", "x.html"], "--report has no effect"),
    ],
)
def test_detach_refuses(empty_folder: Path, words: list[str], said: str) -> None:
    import re

    output = run("run", "--detach", *words, code=2)
    assert re.search(said, output), output
    assert "planted" not in output
    assert len(output.strip().splitlines()) == 1


def test_a_job_of_the_cluster_runs_the_same_command_there() -> None:
    given = ["experiment=quickstart", "cluster.address=head:6379", "workload.seq_len=range(1,5)"]
    command = entrypoint(given, multirun=True)
    assert command == (
        "attnbench run -m experiment=quickstart 'workload.seq_len=range(1,5)' cluster=address "
        "cluster.address=auto"
    )
    assert jobs_address(ClusterSettings("address", address="head:6379")) == "http://head:8265"
    with pytest.raises(ConfigError, match="RAY_API_SERVER_ADDRESS"):
        jobs_address(ClusterSettings("local"))


def test_the_log_has_a_line_an_event_with_all_ids(tmp_path: Path) -> None:
    (request,) = requests(1, kernels=1, launches=1)
    file = tmp_path / "log.jsonl"
    failed = request.failed(Status.ERROR, "postgresql://ann:planted@db/x is away")
    with EventLog(str(file), "a-sweep") as log:
        log.say("sweep", jobs=1)
        log.listen(Started(request, "node GPU 0"))
        log.listen(Finished(request, failed))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["sweep", "started", "finished"]
    assert {line["sweep"] for line in lines} == {"a-sweep"}
    assert {line["job"] for line in lines[1:]} == {request.job.key}
    assert lines[2]["status"] == "error"
    assert "planted" not in file.read_text()
    with pytest.raises(ConfigError, match="can't be written"):
        EventLog(str(tmp_path / "none" / "log"), "a-sweep")


def test_a_log_that_is_no_terminal_gets_a_line_while_a_job_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.01)
    (request,) = requests(1, kernels=1, launches=1)
    two = threading.Event()

    class Lines(io.StringIO):
        def write(self, text: str) -> int:
            if self.getvalue().count("[0/1]") >= 2:
                two.set()
            return super().write(text)

    said = Lines()
    with progress.SweepProgress(1, 0, Console(file=said)) as shown:
        shown.listen(Started(request, "a board"))
        assert two.wait(30), "no event has come since, and yet it says that it lives"
    assert "kernel_0" in said.getvalue()
