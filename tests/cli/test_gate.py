"""`attnbench gate`: each exit code, none confused with another, and the files it leaves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from harness.analysis.gate import Again, suspects
from harness.cli.app import app
from harness.model import Record, Status, Sweep
from harness.store import Store, open_store
from harness.store.annotations import tag
from harness.store.triage import TriagedMove, add_triage
from tests.analysis.compare.conftest import broken, launches_of
from tests.store.make import DEVICE, REVISION, SWEEP


def sweep_of(number: int) -> Sweep:
    at = f"2026-02-0{number}T00:00:00.000000+00:00"
    return replace(SWEEP, id=f"2026020{number}-000000-00000{number}", started_at=at)


def add(store: Store, number: int, records: list[Record] | None = None, **how: Any) -> Sweep:
    sweep = sweep_of(number)
    store.start_sweep(sweep)
    store.append_many(launches_of(sweep, **how) if records is None else records)
    store.finish_sweep(sweep.id, "done")
    return sweep


@pytest.fixture
def store(empty_folder: Path) -> Iterator[Store]:
    with open_store("results/attnbench.db", create=True) as store:
        add(store, 1)
        yield store


def gate(*words: str) -> Result:
    return CliRunner().invoke(app, ["gate", *words])


def test_0_where_a_regression_is_ruled_out(store: Store) -> None:
    add(store, 2, slower=1.01)
    done = gate("last~1")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("### attnbench gate passed")


def test_1_where_something_regressed(store: Store, empty_folder: Path) -> None:
    add(store, 2, slower=1.1)
    done = gate("last~1", "--junit", "out.xml", "--json", "out.json")
    assert done.exit_code == 1, done.output
    assert "| latency_ms |" in done.output
    suites = ElementTree.parse(empty_folder / "out.xml").getroot()
    latency = next(s for s in suites if s.get("name") == "latency_ms")
    assert (latency.get("failures"), latency.get("tests")) == ("3", "3")
    assert len(latency.findall("testcase/failure")) == 3
    data = json.loads((empty_folder / "out.json").read_text())
    assert data["exit_code"] == 1
    assert {c["state"] for c in data["cells"] if c["metric"] == "max_error"} == {"passed"}


def test_1_where_a_kernel_fails_now(store: Store) -> None:
    sweep = sweep_of(2)
    wrong = broken(256, Status.INCORRECT, sweep_id=sweep.id, device=DEVICE)
    add(store, 2, [*launches_of(sweep, sizes=(512, 1024)), wrong])
    done = gate("last~1")
    assert done.exit_code == 1
    assert "incorrect: it raised" in done.output


@pytest.mark.parametrize(
    "how",
    [
        {"launches": 1},  # suspect at most
        {"launches": 1, "slower": 1.5},
        {"spread": 0.2},  # too noisy to rule anything out
        {"board": "GPU-2"},  # boards of one model differ
    ],
)
def test_3_where_the_evidence_is_not_enough(store: Store, how: dict[str, Any]) -> None:
    add(store, 2, **how)
    done = gate("last~1", "--set", "metrics={latency_ms: 0.05}")
    assert done.exit_code == 3, done.output
    assert "not enough evidence" in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "no sweep, tag, commit or date"),
        (["last~1", "--config", "strict"], "no such gate"),
        (["last~1", "--set", "metrics.beauty=0.1"], "no such metric"),
        (["last~1", "--set", "metrcs.latency_ms=0.1"], "metrcs"),
        (["last~1", "--set", "metrics.latency_ms=5"], "a share between 0 and 1"),
        (["last~1", "--kernel", "nobody"], "no results that match"),
        (["last~1", "--junit", "results/attnbench.db/out.xml"], "can't write"),
        (["last~1", "--frobnicate"], "No such option"),
        (["branch:nowhere"], "git says"),
        ([], "Missing argument"),
    ],
)
def test_2_for_wrong_usage(store: Store, words: list[str], message: str) -> None:
    add(store, 2, slower=2.0)
    done = gate(*words)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output


def test_2_for_an_unexpected_exception_though_it_regressed(store: Store) -> None:
    add(store, 2, slower=2.0)
    with mock.patch("harness.cli.gate.judge_gate", side_effect=ZeroDivisionError("a bug")):
        done = gate("last~1")
    assert done.exit_code == 2
    assert "a bug in attnbench" in done.output


def test_limits_are_by_metric_and_by_kernel(store: Store) -> None:
    add(store, 2, slower=1.1)
    assert gate("last~1", "--set", "metrics.latency_ms=0.2").exit_code == 0
    own = Path("mine.yaml")
    own.write_text(
        "name: mine\nmetrics: {latency_ms: 0.05}\nkernels: {'sdpa_*': {latency_ms: 0.3}}\n"
    )
    assert gate("last~1", "--config", "mine.yaml").exit_code == 0
    own.write_text("name: mine\nmetrics: {latency_ms: 0.05}\nkernels: {'e*': {latency_ms: 0.3}}\n")
    assert gate("last~1", "--config", "mine.yaml").exit_code == 1


def test_an_improvement_passes(store: Store) -> None:
    add(store, 2, slower=0.7)
    assert gate("last~1").exit_code == 0
    assert gate("last~1", "--set", "metrics={tflops: 0.05}").exit_code == 0


def test_against_a_tag_and_the_history(store: Store) -> None:
    tag(store, sweep_of(1).id, "release")
    add(store, 2, slower=1.3)
    add(store, 3, slower=1.3)
    assert gate("release").exit_code == 1
    assert gate("history").exit_code == 0  # the newest before it is as slow
    assert gate("history", "20260202").exit_code == 1


def test_against_the_newest_measured_commit_of_a_branch(store: Store, empty_folder: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=trunk"]
        done = subprocess.run(["git", *who, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init")
    git("commit", "--allow-empty", "-m", "measured")
    measured = git("rev-parse", "HEAD")
    git("commit", "--allow-empty", "-m", "not measured")
    assert "none of its last" in gate("branch:trunk").output
    add(store, 2, slower=1.3, revision=replace(REVISION, commit=measured))
    add(store, 3, slower=1.3)
    assert gate("branch:trunk").exit_code == 0
    assert gate("20260201").exit_code == 1


def say_of_the_move(store: Store, state: str, ratio: float, sweep: str) -> None:
    record = next(iter(store.records(sweep)))
    moves = [
        TriagedMove(str(one.series_key), "latency_ms", 1, ratio)
        for one in store.records(record.sweep_id)
        if one.launch == 0
    ]
    add_triage(store, "e4e47", sweep, state, "the mask is checked now", moves=moves)


def test_what_triage_knows_is_accepted_up_to_what_is_known(store: Store) -> None:
    sweep = add(store, 2, slower=1.1)
    assert gate("last~1").exit_code == 1
    say_of_the_move(store, "expected", 1.1, sweep.id)
    done = gate("last~1", "--json", "out.json")
    assert done.exit_code == 0, done.output
    assert "**accepted**" in done.output
    assert "the mask is checked now" in done.output
    states = {cell["state"] for cell in json.loads(Path("out.json").read_text())["cells"]}
    assert states == {"accepted", "passed"}
    add(store, 3, slower=1.3)
    assert gate("last~2").exit_code == 1, "it got worse than what is known"
    assert gate("last~1").exit_code == 1, "the baseline has the known move already"
    say_of_the_move(store, "new", 1.1, sweep.id)
    assert gate("last~2", "last~1").exit_code == 1


def test_confirm_takes_back_what_doesnt_show_again_and_keeps_what_does(store: Store) -> None:
    """With the measuring replaced: what is found in either case is planted."""
    add(store, 2, slower=1.1)
    for verdict, ratio, code in (
        ("unchanged", 1.0, 0),
        ("regressed", 1.1, 1),
        ("unknown", 1.06, 3),
    ):
        found = Again(ratio, ratio * 0.99, ratio * 1.01, verdict, "by 5 launches")

        def again(store: Store, gate: Any, sides: Any, how: Any, found: Again = found) -> Any:
            return dict.fromkeys(map(int, suspects(gate).index), found)

        with mock.patch("harness.cli.gate_confirm.measured_again", again):
            done = gate("last~1", "--confirm")
        assert done.exit_code == code, done.output
        assert ("confirmed by 5 launches" in done.output) == (code != 0)


def test_confirm_needs_the_candidates_kernel_here(store: Store) -> None:
    add(store, 2, slower=1.1)
    done = gate("last~1", "--confirm", "--cluster", "inline")
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert gate("last~1", "--confirm", "--launches", "1").exit_code == 2
