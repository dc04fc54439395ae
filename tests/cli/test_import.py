"""`store import` of other tools' files, and the README's notebook."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.store import open_store
from tests.store.make import SWEEP, record

ROOT = Path(__file__).parents[2]
FILES = ROOT / "tests" / "importers" / "files"


def attnbench(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_files_are_imported_once_and_shown_as_unchecked(empty_folder: Path) -> None:
    files = [FILES / "pytest_benchmark.json", FILES / "plain.csv"]
    first, again = (attnbench("store", "import", *files) for _ in range(2))
    assert first.exit_code == again.exit_code == 0, first.output
    assert "4 of 4 external results were new" in first.output
    assert "0 of 4 external results were new" in again.output
    assert "not checked against an oracle" in first.output
    shown = attnbench("results", "--external").output
    assert "not checked" in shown.splitlines()[0]
    assert "test_demo.py::test_sum" in shown
    rows = json.loads(attnbench("results", "--external", "--format", "json").output)
    assert {(row["operator"], row["checked"]) for row in rows} == {("external", False)}
    attnbench("results", "--external", "--format", "parquet", "--out", "e.parquet")
    assert len(pd.read_parquet("e.parquet")) == 4
    plain = attnbench("results").output
    assert "no results match" in plain
    assert "--external" in plain


def test_records_and_other_tools_results_go_in_by_one_command(empty_folder: Path) -> None:
    Path("r.jsonl").write_text(json.dumps(record().to_dict()) + "\n")
    done = attnbench("store", "import", "r.jsonl", FILES / "google_benchmark.json")
    assert "4 of 4 external results" in done.output
    assert "1 of 1 records" in done.output
    table = attnbench("results").output
    assert "sdpa_flash" in table
    assert "sum_list" not in table


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["bad.csv"], ["bad.csv, line 2", "not a number"]),
        (["good.csv", "bad.csv"], ["bad.csv, line 2"]),
        (["good.csv", "--format", "excel"], ["no such format", "google-benchmark"]),
        (["none.json"], ["no file none.json"]),
        (["good.csv", "--format", "records"], ["good.csv, line 1 is not a record"]),
    ],
)
def test_what_cant_be_read_is_named_and_nothing_is_stored(
    empty_folder: Path, words: list[str], parts: list[str]
) -> None:
    shutil.copy(FILES / "plain.csv", "good.csv")
    Path("bad.csv").write_text(Path("good.csv").read_text().replace("0.42", "fast"))
    done = attnbench("store", "import", *words)
    assert done.exit_code == 2
    for part in parts:
        assert part in done.output
    assert not Path("results").exists()


def test_filters_that_external_results_dont_have_are_refused(empty_folder: Path) -> None:
    attnbench("store", "import", FILES / "plain.csv")
    done = attnbench("results", "--external", "--kernel", "sdpa_*")
    assert done.exit_code == 2
    assert "--external takes" in done.output


def test_the_readmes_notebook_runs(empty_folder: Path) -> None:
    (code,) = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    with open_store("results/attnbench.db", create=True) as store:
        store.start_sweep(SWEEP)
        store.append_many([record(512), record(1024)])
    attnbench("store", "import", FILES / "plain.csv")
    known: dict[str, object] = {}
    exec(
        code.replace('"30d"', '"2026-01-01"').replace('"v1.2", "v1.3"', '"abc123", "abc123"'), known
    )
    frame, table, others = (known[name] for name in ("frame", "table", "others"))
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) == len(table) == 2  # type: ignore[arg-type]
    assert set(others["benchmark"]) == {"decode"}  # type: ignore[index]
