"""`attnbench store …`, one test a subcommand; each names its command, and a test holds that."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.cli.store_app import store_app
from harness.cli.store_selection import OPTIONS
from harness.store import Store, open_store
from harness.store.schema import HEAD
from harness.store.selection import Selection
from tests.store.conftest import new_file  # noqa: F401 - a fixture
from tests.store.make import SWEEP, record

DB = "results/attnbench.db"


def store_(*words: str, ok: bool = True) -> Result:
    """``attnbench store …``; ok or exit code 2 with one line."""
    done = CliRunner().invoke(app, ["store", *words])
    assert done.exit_code == (0 if ok else 2), done.output
    assert "Traceback" not in done.output
    return done


@pytest.fixture(autouse=True)
def filled(empty_folder: Path, new_file: Path) -> Path:  # noqa: F811
    """A store with a sweep of three results, where commands look for it."""
    Path("results").mkdir()
    Path(DB).write_bytes(new_file.read_bytes())
    with open_store(DB) as store:
        store.start_sweep(SWEEP)
        store.append_many([record(1), record(2), record(3)])
        store.finish_sweep(SWEEP.id, "done")
    return empty_folder


def opened() -> Store:
    return open_store(DB, read_only=True)


def test_info() -> None:
    assert "SQLite" in store_("info").output
    facts = json.loads(store_("info", "--format", "json").output)
    assert (facts["sweeps"], facts["results"]) == (1, 3)


def test_check() -> None:
    assert "no damage" in store_("check", "--deep").output


def test_downgrade_then_upgrade_each_in_the_log() -> None:
    assert "taken back to 0002" in store_("downgrade", "0002", "--yes").output
    assert "store upgrade" in store_("info", ok=False).output
    assert f"0002 upgraded to {HEAD}" in store_("upgrade").output
    entries = json.loads(store_("log", "--format", "json").output)
    assert [entry["action"] for entry in entries] == ["downgrade", "upgrade"]
    assert [entry["details"] for entry in entries] == [
        {"before": HEAD, "after": "0002"},
        {"before": "0002", "after": HEAD},
    ]


def test_upgrade_makes_a_store_where_there_is_none_if_asked_to() -> None:
    assert "no store" in store_("upgrade", "new.db", ok=False).output
    assert not Path("new.db").exists()
    assert "nothing to do" in store_("upgrade", "new.db", "--create").output
    with open_store("new.db", read_only=True) as made:
        assert made.sweeps() == []
    store_("downgrade", "0002", "--yes")
    assert f"0002 upgraded to {HEAD}" in store_("upgrade", "--create").output
    with opened() as kept:
        assert len(list(kept.records())) == 3


def test_vacuum() -> None:
    assert "given back" in store_("vacuum").output


def test_backup() -> None:
    assert "whole copy" in store_("backup", "copy.db").output
    assert "no damage" in store_("check", "copy.db").output
    assert "already" in store_("backup", "copy.db", ok=False).output


def test_merge() -> None:
    assert "3 results of 1 new sweeps" in store_("merge", DB, "--store", "team.db").output
    assert "0 results" in store_("merge", DB, "--store", "team.db").output


@pytest.mark.parametrize("target", ["all.jsonl", "all"])
def test_export_then_import(target: str) -> None:
    assert "3 results of 1 sweeps" in store_("export", target).output
    again = store_("import", target, "--store", "other.db").output
    assert "3 results of 1 new sweeps" in again
    with open_store("other.db", read_only=True) as other, opened() as store:
        assert list(other.records()) == list(store.records())
    assert "0 results of 0 new sweeps" in store_("import", target, "--store", "other.db").output
    assert "already" in store_("export", target, ok=False).output


def test_export_of_one_sweep() -> None:
    assert "3 results" in store_("export", "last.jsonl", "--sweep", "last").output
    assert "no sweep" in store_("export", "x.jsonl", "--sweep", "none", ok=False).output
    assert "jsonl and parquet" in store_("export", "x", "--format", "xml", ok=False).output


def test_prune() -> None:
    assert "3 results" in store_("prune", "--older-than", "2026-02-01", "--dry-run").output
    store_("prune", "--older-than", "2026-02-01", "--yes", "--reason", "old")
    with opened() as store:
        assert all(one.summary for one in store.records())


def test_exclude_include_and_what_results_show() -> None:
    job = record(2).job_key
    assert "1 results" in store_("exclude", "--job", job, "--reason", "fan failed").output

    def shown(*words: str) -> list[dict[str, object]]:
        done = CliRunner().invoke(app, ["results", "--format", "json", *words])
        assert done.exit_code == 0, done.output
        return list(json.loads(done.output))

    assert len(shown()) == 2
    assert [row["excluded"] for row in shown("--excluded")] == [None, "fan failed", None]
    table = CliRunner().invoke(app, ["results", "--excluded"]).output
    assert table.count("excluded: ") == table.count("excluded: fan failed") == 1
    assert "1 results" in store_("include", "--sweep", "last", "--launch", "0").output
    assert len(shown()) == 3
    assert "say which" in store_("include", ok=False).output


def test_reset_baseline() -> None:
    words = ["reset-baseline", "--kernel", "sdpa_*", "--reason", "driver", "--from", "2026-01-03"]
    assert "3 series" in store_(*words).output


def test_tag() -> None:
    assert "release" in store_("tag", "last", "release").output
    assert "release" in store_("tag", "last").output
    assert "no tags" in store_("tag", "last", "release", "--remove").output
    assert "--remove needs" in store_("tag", "last", "--remove", ok=False).output


def test_delete_asks() -> None:
    words = ["delete", SWEEP.id, "--reason", "a mistake"]
    assert "add --yes" in store_(*words, ok=False).output
    assert "3 results are deleted" in store_(*words, "--yes").output


def test_log() -> None:
    assert "no changes yet" in store_("log").output
    store_("tag", "last", "release", "--reason", "shipped")
    assert "shipped" in store_("log").output


def test_every_subcommand_has_its_test_here() -> None:
    source = Path(__file__).read_text()
    for command in store_app.registered_commands:
        assert f'"{command.name}"' in source, f"store {command.name} has no test"
    assert not store_app.registered_groups


def test_a_selection_has_an_option_a_field() -> None:
    assert list(OPTIONS) == [field.name for field in fields(Selection)]


@pytest.mark.parametrize("command", ["info", "check", "vacuum", "upgrade"])
def test_a_store_is_named_by_argument_or_by_option_and_two_are_refused(command: str) -> None:
    for named in ([DB], ["--store", DB], [DB, "--store", DB]):
        store_(command, *named)
    assert "two stores are named" in store_(command, DB, "--store", "other.db", ok=False).output
