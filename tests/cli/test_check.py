"""``check`` holds a kernel to its claims: each planted fault is found, named and located."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import pytest
import torch
from rich.console import Console

from harness.cli.check import check_command
from harness.cli.check_report import print_claims
from harness.config import catalog
from harness.errors import AttnbenchError
from harness.measure.contract import attempt, oracle
from harness.measure.outcome import Outcome, Trial
from harness.measure.suite import claims_of
from harness.model import Gpu

KERNEL = """
import ctypes
import os

import torch

LAYOUT = "BHSD"
kept = {}
where = {}


def build(problem, device, options):
    mask = torch.ones(problem.seq_q, problem.seq_k, dtype=torch.bool)
    if problem.causal:
        mask = mask.tril(problem.seq_k - problem.seq_q)

    def attention(inputs):
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        softmax = torch.softmax
        {line}
        scores = q @ k.transpose(-1, -2) * problem.effective_scale
        weights = softmax(scores.masked_fill(~mask, -torch.inf), -1).nan_to_num()
        return weights @ v

    return attention
"""
YAML = """
name: planted
operator: attention
file: planted.py
limits:
  cpu: {dtypes: [fp32], masks: [full, causal], directions: [DIRECTION], gqa: false}
"""
PLAIN_EXP = "softmax = lambda s, at: s.exp() / s.exp().sum(at, keepdim=True)"
WHOLE_TILES = "mask.fill_(False); mask[:, : problem.seq_k // 16 * 16] = True"
KEEPS = "kept.setdefault(id(q), (q.clone(), k.clone())); q, k = kept[id(q)]"


known = functools.cache(oracle)
"""The tests' kernels claim the same problems."""


class Here:
    """Tries kernels in this process: no fork server to start for each test."""

    def attempt(self, trial: Trial) -> Outcome:
        return attempt(trial, torch.device("cpu"), known)


def planted(tmp_path: Path, line: str, direction: str = "forward") -> list[Path]:
    (tmp_path / "conf" / "kernel").mkdir(parents=True)
    yaml = YAML.replace("DIRECTION", direction)
    (tmp_path / "conf" / "kernel" / "planted.yaml").write_text(yaml)
    (tmp_path / "planted.py").write_text(KERNEL.replace("{line}", line))
    return [tmp_path]


def report(folders: list[Path]) -> tuple[int, str]:
    """Faults of the planted kernel and what is printed, at 80 columns."""
    kernel, cpu = catalog.kernels(folders)["planted"], Gpu("cpu", "cpu")
    written = io.StringIO()
    console = Console(width=80, file=written)
    faults = print_claims(kernel, cpu, claims_of(kernel, cpu, Here()), console)
    return faults, written.getvalue()


def test_a_right_kernel_passes_and_the_report_says_what_it_was_tried_on(tmp_path: Path) -> None:
    faults, said = report(planted(tmp_path, "pass"))
    assert faults == 0
    assert "FAILED" not in said
    assert "of what is allowed" in said
    for edge in (
        "masks: full", "causal", "one token", "one query", "no tile's multiple", "Sq ≠ Sk",
        "rows that see nothing", "one head", "big scores", "head dims:", "64-32",
    ):  # fmt: skip
        assert edge in " ".join(said.split()), edge
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("k = k[:, :, :-1]", "RuntimeError at planted.py:2"),
        ("v = v * 1.001", "max_error"),
        ("q.mul_(1.5)", "it changed its input q"),
        ("raise ValueError('no such tile')", "ValueError at planted.py"),
        ("return v.double()", "out has"),
        ("return q @ k.mT @ v / 0", "NaN or infinite"),
        ("torch.set_default_dtype(torch.float64)", "changed the process's state"),
        (KEEPS, "on new values, though right on the first: it keeps something"),
        (PLAIN_EXP, "every case fails that has: big scores"),
        (WHOLE_TILES, "every case fails"),
        ("mask.fill_(True)", "all that fail have: mask causal"),
    ],
)
def test_a_fault_is_found_and_named(tmp_path: Path, line: str, reason: str) -> None:
    try:
        faults, said = report(planted(tmp_path, line))
    finally:
        torch.set_default_dtype(torch.float32)
    assert faults > 0
    assert "FAILED B1" in said
    assert reason in " ".join(said.split())


def test_a_claimed_direction_without_gradients_fails(tmp_path: Path) -> None:
    """Each case ends at the missing gradient, before anything is compared."""
    detached = "inputs = {name: x.detach() for name, x in inputs.items()}; "
    detached += "q, k, v = inputs['q'], inputs['k'], inputs['v']"
    faults, said = report(planted(tmp_path, detached, "backward"))
    assert faults > 0
    assert "its output has no gradient, though it claims this direction" in " ".join(said.split())


def test_a_claim_that_the_kernel_refuses_is_a_fault(tmp_path: Path) -> None:
    folders = planted(tmp_path, "pass")
    with (tmp_path / "planted.py").open("a") as file:
        file.write(
            '\n\ndef supports(p, device, options):\n    return "no mask" if p.causal else None\n'
        )
    faults, said = report(folders)
    assert faults == 1
    assert "mask causal is claimed, but every case was refused: no mask" in " ".join(said.split())


def test_calls_that_differ_in_their_last_bits_are_noted(tmp_path: Path) -> None:
    faults, said = report(planted(tmp_path, "v = v + 1e-8 * torch.rand_like(v)"))
    assert faults == 0
    assert "not deterministic: two calls" in said


def test_a_crash_and_an_exit_cost_their_case_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = (
        "ctypes.string_at(0) if problem.seq_k == 1 and problem.heads_q == 1 else None; "
        "os._exit(3) if problem.seq_q == 90 else None"
    )
    assert check_command("planted", planted(tmp_path, line)) == 1
    said = " ".join(capfd.readouterr().out.split())
    assert "its process was ended by SIGSEGV" in said
    assert "its process ended itself with exit code 3" in said
    assert "planted: 3 failed" in said


def test_what_cannot_be_checked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AttnbenchError, match="Did you mean"):
        check_command("decode_eagre", [])
    with pytest.raises(AttnbenchError, match=r"sdpa_cudnn can't be checked here: it runs on cuda"):
        check_command("sdpa_cudnn", [])
    folders = planted(tmp_path, "pass")
    (tmp_path / "planted.py").write_text("import torhc\n\ndef build(p, d, o):\n    return None\n")
    with pytest.raises(AttnbenchError, match="No module named 'torhc'"):
        report(folders)
    (tmp_path / "planted.py").write_text("x = 1\n")
    with pytest.raises(AttnbenchError, match="has no build"):
        check_command("planted", folders)
