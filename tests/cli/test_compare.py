"""`attnbench compare` as a user runs it: formats, exit codes, messages."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.store import open_store
from tests.analysis.compare.conftest import NEW_TORCH, launches_of
from tests.store.make import SWEEP

Compare = Callable[..., Result]


@pytest.fixture
def compare(empty_folder: Path) -> Compare:
    """``compare("last~1", "last", …)`` in a folder with two sweeps, one kernel 10 % slower."""
    with open_store("results/attnbench.db", create=True) as store:
        for number, slower in ((1, 1.0), (2, 1.1)):
            at = f"2026-02-0{number}T00:00:00.000000+00:00"
            sweep = replace(SWEEP, id=f"2026020{number}-000000-00000{number}", started_at=at)
            store.start_sweep(sweep)
            store.append_many(launches_of(sweep, slower=slower, environment=NEW_TORCH))
            store.append_many(launches_of(sweep, kernel="a_very_long_name_of_a_kernel[x]"))
            store.finish_sweep(sweep.id, "done")
    return lambda *words, **env: CliRunner().invoke(app, ["compare", *words], env=env)


def test_the_table_fits_80_columns_and_names_what_matters(compare: Compare) -> None:
    done = compare("last~1", "last", COLUMNS="80")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines if line.startswith(("regressed", "unchanged"))]
    assert [row.split()[0] for row in rows] == ["regressed"] * 3 + ["unchanged"] * 3
    assert "sdpa_flash S" in done.output
    assert "kernel[x]" in done.output
    assert "geometric mean" in done.output


def test_markdown_json_and_csv_say_the_same(compare: Compare, empty_folder: Path) -> None:
    text = compare("last~1", "last", "--format", "md").output
    assert text.startswith("### attnbench: 3 regressed, 3 unchanged")
    assert text.count("| 🔴 regressed |") == 3
    assert "<details>" in text
    data = json.loads(compare("last~1", "last", "--format", "json").output)
    assert [c["verdict"] for c in data["cells"]] == ["regressed"] * 3 + ["unchanged"] * 3
    assert data["geometric_mean"]["cells"] == 6
    assert data["by_kernel"]["sdpa_flash"]["ratio"] == pytest.approx(1.1, rel=0.01)
    rows = list(csv.DictReader(io.StringIO(compare("last~1", "last", "--format", "csv").output)))
    assert [row["verdict"] for row in rows] == [c["verdict"] for c in data["cells"]]
    done = compare("last~1", "last", "--limit", "2", "--out", "out.txt")
    assert done.exit_code == 0
    assert "4 cells more" in (empty_folder / "out.txt").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing", "last"], "no sweep, tag, commit or date"),
        (["last~1", "last", "--metric", "beauty"], "no such metric"),
        (["cold", "hot", "--by", "mode"], "different quantities"),
        (["last~1", "last", "--kernel", "none*"], "no results that match kernel none*"),
        (["last~1", "last", "--least-effect", "2"], "a share between 0 and 1"),
        (["last~1", "last", "--limit", "-1"], "0 for all"),
        (["last~1", "last", "--store", "nowhere.db"], "nowhere.db"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    compare: Compare, words: list[str], message: str
) -> None:
    done = compare(*words)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output
