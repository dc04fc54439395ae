"""``cost`` prints formulas and measures nothing."""

from __future__ import annotations

import json

import pytest

from harness.cli.cost import cost_command
from harness.errors import AttnbenchError


def test_cost_prints_the_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost_command(["workload=deepseek_v3_mla_decode", "workload.batch=1"], False, "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["kv_cache_bytes"] == 4096 * 576 * 2
    assert row["flops"] == 2 * 4096 * 128 * (576 + 512)
    with pytest.raises(AttnbenchError, match="--format yaml"):
        cost_command([], False, "yaml")
