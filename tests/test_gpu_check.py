"""The one command for a GPU box, as far as a machine without one can hold it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from harness.config.catalog import gpus, kernels
from harness.model import Kernel
from tests.gpu.__main__ import main, requests

WORKER_SIDE_LACKS = ("ray", "hydra", "sqlalchemy", "pandas", "altair", "typer", "scipy")


def test_every_kernel_that_claims_a_gpu_is_measured_there() -> None:
    measured = {request.job.kernel.name for request in requests(gpus()["h100"])}
    claiming = {
        kernel.name
        for kernel in kernels().values()
        if isinstance(kernel, Kernel) and "cuda" in dict(kernel.limits)
    }
    assert measured == claiming


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
