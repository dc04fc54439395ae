"""``attnbench triage``: an event is found, spoken of, and alarms no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.store import open_store
from tests.analysis.history.nightly import Changed, environment, fill


def planted(number: int, night: int) -> Changed:
    return {} if night < 10 else {"environment": environment("2.13.0"), "factor": 1.2}


@pytest.fixture
def url(tmp_path: Path) -> str:
    path = str(tmp_path / "nightly.db")
    with open_store(path, create=True) as store:
        fill(store, 2, range(16), planted)
    return path


def attnbench(url: str, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, [command, "--store", url, *arguments], env={"COLUMNS": "100"})


def test_an_event_is_acknowledged_with_a_note_and_a_link_and_alarms_no_more(url: str) -> None:
    assert attnbench(url, "history").exit_code == 1
    listed = json.loads(attnbench(url, "triage", "--format", "json").output)
    (event,) = listed
    assert (event["state"], event["alarming"]) == ("new", 2)
    said = attnbench(
        url,
        "triage",
        event["key"][:6],
        "--state",
        "acknowledged",
        "--note",
        "torch's flash kernel",
        "--link",
        "https://github.com/pytorch/pytorch/issues/1",
    )
    assert said.exit_code == 0, said.output
    assert "(2 series): new → acknowledged" in said.output
    quiet = attnbench(url, "history")
    assert quiet.exit_code == 0, quiet.output
    assert "acknowledged" in quiet.output
    assert "torch's flash kernel" in quiet.output
    shown = attnbench(url, "triage", event["key"]).output
    assert "state: acknowledged" in shown
    assert "issues/1" in shown
    noted = attnbench(url, "triage", event["key"], "--note", "upstream knows")
    assert "acknowledged → acknowledged" in noted.output, "a note keeps the state"
    table = attnbench(url, "triage", "--state", "acknowledged", "--format", "md").output
    assert table.startswith("| event | state |")
    assert "upstream knows" in table
    assert "1 acknowledged" in table
    assert event["key"][:8] not in attnbench(url, "triage", "--state", "ignored").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["zzz", "--state", "ignored"], "no event zzz"),
        (["--state", "ignore"], "Did you mean ignored"),
        (["--note", "why"], "said of an event"),
        (["--metric", "speed"], "no such metric"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(url: str, arguments: list[str], said: str) -> None:
    done = attnbench(url, "triage", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
