"""``check`` finds what a kernel gets wrong; ``cost`` prints formulas and measures nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.check import check_command
from harness.cli.cost import cost_command
from harness.errors import AttnbenchError

KERNEL = """
import torch

LAYOUT = "BHSD"


def build(problem, device, options):
    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        {line}
        return torch.softmax(q @ k.transpose(-1, -2) * problem.effective_scale, -1) @ v

    return attention
"""
YAML = """
name: planted
operator: attention
file: planted.py
limits:
  cpu: {dtypes: [fp32], gqa: false}
"""


def planted(tmp_path: Path, line: str) -> list[Path]:
    (tmp_path / "conf" / "kernel").mkdir(parents=True)
    (tmp_path / "conf" / "kernel" / "planted.yaml").write_text(YAML)
    (tmp_path / "planted.py").write_text(KERNEL.replace("{line}", line))
    return [tmp_path]


def test_a_right_kernel_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_command("planted", planted(tmp_path, "pass")) == 0
    assert "planted: everything passed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("k = k[:, :, :64]; v = v[:, :, :64]", "max_error"),
        ("q.mul_(1.5)", "it changed its input q"),
        ("raise ValueError('no such tile')", "ValueError at planted.py"),
        ("v = v.double().float()[..., :1]", "out has shape"),
    ],
)
def test_a_mistake_is_found_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, reason: str
) -> None:
    assert check_command("planted", planted(tmp_path, line)) == 1
    said = capsys.readouterr().out
    assert "FAILED" in said
    assert reason in said


def test_an_unknown_kernel_and_one_without_build_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AttnbenchError, match="Did you mean"):
        check_command("decode_eagre", [])
    folders = planted(tmp_path, "pass")
    (tmp_path / "planted.py").write_text("x = 1\n")
    with pytest.raises(AttnbenchError, match="has no build"):
        check_command("planted", folders)


def test_cost_prints_the_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost_command(["workload=deepseek_v3_mla_decode", "workload.batch=1"], False, "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["kv_cache_bytes"] == 4096 * 576 * 2
    assert row["flops"] == 2 * 4096 * 128 * (576 + 512)
    with pytest.raises(AttnbenchError, match="--format yaml"):
        cost_command([], False, "yaml")
