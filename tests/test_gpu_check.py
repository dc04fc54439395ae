"""The one command for a GPU box, as far as a machine without one can hold it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.config.catalog import gpus, kernels
from harness.errors import KernelError
from harness.model import Kernel
from tests.gpu import claims as claims_check
from tests.gpu.__main__ import main, requests
from tests.gpu.claims import asked, check_claims
from tests.gpu.table import markdown

WORKER_SIDE_LACKS = ("ray", "hydra", "sqlalchemy", "pandas", "altair", "typer", "scipy")
NO_WORKLOAD = {
    *("gla_fla_chunk", "gla_fla_recurrent", "retention_fla_chunk", "retention_fla_recurrent"),
    *("mamba2_fla_chunk", "mamba2_fla_recurrent"),
}
"""Their libraries' limits leave out every shipped workload: head dims of 512, one B/C group for all
heads. The part *claims* tries them."""


def test_every_kernel_that_claims_a_gpu_is_measured_there() -> None:
    measured = {request.job.kernel.name for request in requests(gpus()["h100"])}
    claiming = {
        kernel.name
        for kernel in kernels().values()
        if isinstance(kernel, Kernel) and "cuda" in dict(kernel.limits)
    }
    assert measured | NO_WORKLOAD == claiming
    assert not measured & NO_WORKLOAD


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU: make gpu-check is the test")
def test_without_a_gpu_nothing_is_called_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "sees no GPU here: nothing was checked" in capsys.readouterr().out


def test_it_needs_nothing_that_a_bare_worker_lacks() -> None:
    """Collected, conftest and all, in a process where those packages can't be imported."""
    code = (
        "import sys\n"
        "from functools import partial\n"
        "from importlib.machinery import PathFinder\n"
        "found = PathFinder.find_spec\n"
        "def find_spec(name, path=None, target=None):\n"
        f"    return None if name in {WORKER_SIDE_LACKS} else found(name, path, target)\n"
        "PathFinder.find_spec = partial(find_spec)  # bound by nobody, as the original\n"
        "import pytest\n"
        "import tests.gpu.__main__ as check\n"
        "from harness.config.catalog import gpus\n"
        "assert len(check.requests(gpus()['h100'])) > 50\n"
        "sys.exit(pytest.main(['--collect-only', '-m', 'gpu', '-o', 'addopts=-q',"
        " '-p', 'no:cacheprovider', *check.TESTS]))"
    )
    # the plugins of packages that a bare worker lacks aren't there either
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "test_every_mode" in done.stdout


def test_claims_are_tried_once_and_a_stopped_check_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the CPU as a device like another: the same code asks a GPU."""
    out, cpu = tmp_path / "claims.jsonl", gpus()["cpu"]
    wanted = [claim for claim in asked(cpu, ["mamba2_quadratic"]) if claim[2] == "forward"][:2]
    rows, left = check_claims(cpu, wanted, out, until=math.inf)
    assert (len(rows), left) == (2, 0)
    assert all(row.status == "passed" and row.passed > 3 and 0 < row.strain < 1 for row in rows)
    with out.open("a") as file:
        file.write('{"kernel": "half a li')  # killed while it wrote
    monkeypatch.setattr(claims_check, "tried_claim", None)  # must not be asked again
    again, left = check_claims(cpu, wanted, out, until=0.0)
    assert (again, left) == (rows, 0)
    others = asked(cpu, ["mamba2_recurrent"])
    assert check_claims(cpu, others, out, until=0.0) == ([], len(others))
    table = markdown(rows, "CPU", left=3)
    assert "| mamba2 | mamba2_quadratic | ✓ " in table
    assert "3 claims are not yet run" in table


def test_a_broken_kernel_is_a_row_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise KernelError("kernel mamba2_quadratic: it does not import")

    cpu = gpus()["cpu"]
    monkeypatch.setattr(claims_check, "tried_claim", fails)
    wanted = asked(cpu, ["mamba2_quadratic"])
    rows, _ = check_claims(cpu, wanted, tmp_path / "claims.jsonl", until=math.inf)
    assert [row.status for row in rows] == ["failed"] * len(wanted)
    assert "does not import" in markdown(rows, "CPU", left=0)


def test_the_first_results_are_bf16_forward_of_every_kernel() -> None:
    claims = asked(gpus()["h100"])
    kernels_asked = {kernel.name for kernel, _, _ in claims}
    assert {kernel.name for kernel, _, _ in claims[: len(kernels_asked)]} == kernels_asked
    bf16 = [
        kernel for kernel, *claim in claims[: len(kernels_asked)] if claim == ["bf16", "forward"]
    ]
    assert len(bf16) > len(kernels_asked) * 0.8
