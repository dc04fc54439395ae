"""``attnbench history`` on a store of planted nights: its table, its formats, its exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.model import External
from harness.store import open_store
from tests.analysis.history.nightly import Changed, environment, fill


def planted(number: int, night: int) -> Changed:
    """From the tenth night on a new torch, with which everything is a fifth slower."""
    if night < 10:
        return {}
    return {"environment": environment("2.13.0"), "factor": 1.2}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("history") / "nightly.db")
    with open_store(path, create=True) as store:
        fill(store, 3, range(20), planted)
        store.append_externals(
            [
                External(
                    "decode",
                    "time",
                    "ms",
                    (2.0 if day < 20 else 3.0,),
                    "NVIDIA H100",
                    f"2026-01-{day:02}T00:00:00.000000+00:00",
                    "csv",
                    version=f"v{1 if day < 20 else 2}",
                    higher_is_better=False,
                )
                for day in range(1, 31)
            ]
        )
    return path


def history(url: str, *arguments: str, width: str = "80") -> Result:
    return CliRunner().invoke(app, ["history", "--store", url, *arguments], env={"COLUMNS": width})


def test_an_event_is_a_row_with_its_cause_and_the_exit_code_says_that_it_is_open(url: str) -> None:
    done = history(url, "--metric", "latency_ms")
    assert done.exit_code == 1, done.output
    assert "3 worse" in done.output
    assert "torch 2.12.0 → 2.13.0 (3 of 3 series with it moved)" in done.output
    assert "\n3 series, 3 histories: 3 moved" in done.output
    every = history(url).output
    assert "(3 of 3 series with it moved)" in every, "figures of other metrics aren't counted"


def test_json_and_csv_have_both_ends_of_a_move(url: str, tmp_path: Path) -> None:
    done = history(url, "--metric", "latency_ms", "--format", "json")
    (event,) = json.loads(done.output)["events"]
    move = event["moves"][0]
    assert move["last_good_at"][:10] == "2026-01-10"
    assert move["first_bad_at"][:10] == "2026-01-11"
    assert move["ratio"] == pytest.approx(1.2, rel=0.02)
    assert move["ratio_low"] < 1.2 < move["ratio_high"]
    out = tmp_path / "moves.csv"
    assert history(url, "--format", "csv", "--out", str(out)).exit_code == 1
    rows = list(csv.DictReader(out.open()))
    assert {row["cause"] for row in rows} == {"torch 2.12.0 → 2.13.0"}
    assert len(rows) == 3


def test_markdown_is_a_table(url: str) -> None:
    lines = history(url, "--format", "md").output.splitlines()
    assert lines[0] == "| event | since | moved | by | likely cause |"
    assert lines[2].count("|") == 6


def test_an_event_in_full_and_a_series_with_its_curve(url: str) -> None:
    (event,) = json.loads(history(url, "--format", "json").output)["events"]
    shown = history(url, "--event", event["key"][:6]).output
    assert "last good: 2026-01-10" in shown
    assert "first bad: 2026-01-11" in shown
    assert "the same: " in shown
    key = event["moves"][0]["series_key"]
    curve = history(url, "--series", key, "--metric", "latency_ms").output
    assert "█" in curve
    assert "20 points by time" in curve


def test_other_tools_results_have_a_history_too(url: str) -> None:
    done = history(url, "--external")
    assert done.exit_code == 1
    assert "version v1 → v2" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kernel", "kernel_7"], "Did you mean kernel_"),
        (["--metric", "speed"], "metric 'speed': no such metric"),
        (["--event", "zzz"], "no event zzz"),
        (["--since", "yesterday"], "since='yesterday'"),
        (["--min-effect", "2"], "isn't between 0 and 1"),
        (["--external", "--kernel", "kernel_0"], "--external takes"),
        (["--benchmark", "decode"], "--benchmark is for --external"),
        (["--external", "--benchmark", "encode"], "Did you mean decode"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, url: str
) -> None:
    done = history(url, *arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


def test_too_few_points_are_not_enough_evidence(tmp_path: Path) -> None:
    path = str(tmp_path / "one.db")
    with open_store(path, create=True) as store:
        fill(store, 2, [0])
    done = history(path, "--metric", "latency_ms")
    assert done.exit_code == 3
    assert "2 too short to tell" in done.output
