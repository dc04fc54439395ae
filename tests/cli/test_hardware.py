"""``attnbench hardware`` on a store of three planted GPUs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.store import open_store
from tests.analysis.hardware.several import fill, records

SHARES = {("h100", "flash"): 0.6, ("a100_80", "flash"): 0.5, ("l40s", "flash"): 0.4}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("hardware") / "three.db")
    with open_store(path, create=True) as store:
        fill(store, records(SHARES, boards={"h100": {"GPU-a": 1.0, "GPU-b": 1.05}}, noise=0.001))
    return path


def hardware(url: str, *arguments: str, width: str = "100") -> Result:
    return CliRunner().invoke(app, ["hardware", "--store", url, *arguments], env={"COLUMNS": width})


def test_the_matrix_its_ratios_boards_and_a_prediction_are_shown(url: str) -> None:
    plain = hardware(url)
    assert plain.exit_code == 0, plain.output
    assert "Latency, ms (lower is better), flash: " in plain.output
    assert "h100: 2 boards, 5.0% between the slowest and the fastest" in plain.output
    assert "l40s: 40.0 % in the median" in plain.output
    over = hardware(url, "--reference", "h100", "--by", "tflops").output
    assert "Geometric mean over h100" in over
    assert "1×" in over
    told = hardware(url, "--predict", "h200", "--format", "md").output
    assert "#### h200, predicted by roofline, 95 % band" in told
    assert "left out, h100 would have been predicted" in told


def test_formats_for_programs_hold_the_same(url: str, tmp_path: Path) -> None:
    found = json.loads(
        hardware(url, "--format", "json", "--predict", "h200", "--reference", "l40s").output
    )
    assert {row["gpu"] for row in found["cells"]} == {"h100", "a100_80", "l40s"}
    assert found["prediction"]["factor"] > 1
    assert {mean["gpu"] for mean in found["ratios"]["means"]} == set(found["gpus"])
    out = tmp_path / "cells.csv"
    assert hardware(url, "--format", "csv", "--out", str(out)).exit_code == 0
    assert len(out.read_text().splitlines()) == 1 + len(found["cells"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "beauty"], "'beauty' is no figure"),
        (["--by", "money"], "it needs price_per_hour in conf/gpu"),
        (["--by", "money", "--price", "h100"], "a price an hour above 0"),
        (["--by", "money", "--price", "h101=2"], "no such GPU"),
        (["--reference", "h200"], "wasn't measured"),
        (["--predict", "h300"], "no such GPU"),
        (["--kernel", "flesh"], "no result of kernel=flesh here"),
    ],
)
def test_what_cant_be_answered_is_one_line_and_exit_code_2(
    url: str, arguments: list[str], said: str
) -> None:
    done = hardware(url, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    priced = hardware(url, "--by", "money", "--price", "h100=2.5")
    assert priced.exit_code == 0
    assert "PFLOP" in priced.output
