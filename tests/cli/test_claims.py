"""``attnbench claims``: judged without measuring, from a stored sweep, and asked wrongly."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import TINY, Cli


def test_without_measurements_the_arithmetic_stands(cli: Cli) -> None:
    printed = cli("claims", "--no-measure", "--format", "json")
    assert printed.returncode == 0, printed.stderr
    (judged,) = json.loads(printed.stdout)
    assert judged["device"] is None
    claims = {claim["name"]: claim for claim in judged["claims"]}
    assert claims["200k_is_80gb"]["findings"][0]["value"] == 80
    text = cli("claims", "--no-measure", COLUMNS="80").stdout
    assert "nothing measured yet" in text
    assert max(map(len, text.splitlines())) <= 80
    assert cli("claims", "--no-measure", "--format", "md").stdout.count("\n|") > len(claims)


def test_a_stored_sweep_is_judged_as_far_as_it_goes(cli: Cli) -> None:
    """A sweep of that name with three short lengths: exponents yes, what it lacks not."""
    few = ["timing.launches=1", "direction=forward", "workload.seq_len=16,32,64"]
    ran = cli("run", "-m", "experiment=claims", "experiment.include=[]", *few, *TINY[5:])
    assert ran.returncode == 0, ran.stderr
    (judged,) = json.loads(cli("claims", "--no-measure", "--format", "json").stdout)
    assert judged["device"]
    last = {claim["name"]: claim["findings"][-1] for claim in judged["claims"]}
    assert last["mamba_is_linear"]["basis"] == "not measured"
    assert "mamba2_chunked" in last["mamba_is_linear"]["text"]
    assert last["sqrt_d_keeps_variance"]["basis"] == "measured here"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["experiment=zoo"], "another can't stand in for it"),
        (["--no-measure", "gpu=cpu"], "don't go with --no-measure"),
        (["--format", "html"], "html"),
    ],
)
def test_what_makes_no_sense_is_refused(cli: Cli, arguments: list[str], says: str) -> None:
    refused = cli("claims", *arguments)
    assert refused.returncode == 2
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr
