"""``attnbench check``: one kernel held to every claim of its yaml, on this machine."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from harness.cli.availability import why_not
from harness.cli.check_report import print_claims
from harness.cli.common import user_kernel_dirs
from harness.errors import ConfigError, did_you_mean
from harness.model import Gpu, Kernel


def check_command(name: str, kernels: list[Path]) -> int:
    """Body of ``attnbench check``; returns 0 where all is right, 1 where something failed."""
    from harness.measure.suite import claims_of
    from harness.measure.trials import Trials

    kernel, gpus = _found(name, kernels)
    console, failures = Console(), 0
    for gpu in gpus:
        with Trials(gpu.kind) as trials:
            failures += print_claims(kernel, gpu, claims_of(kernel, gpu, trials), console)
    verdict = f"{failures} failed" if failures else "everything passed"
    console.print(f"{name}: {verdict}", markup=False, highlight=False)
    return 1 if failures else 0


def _found(name: str, folders: list[Path]) -> tuple[Kernel, list[Gpu]]:
    """The kernel, and the devices of this machine that it claims. Raises ConfigError if none."""
    from harness.config import catalog
    from harness.hardware import local_gpus
    from harness.measure.source import source_error
    from harness.model.gpu import CPU

    found = catalog.kernels(user_kernel_dirs(folders))
    if name in found.errors:
        raise ConfigError(f"kernel {name}: {found.errors[name]}")
    if name not in found:
        raise ConfigError(f"there is no kernel {name}. {did_you_mean(name, found)}")
    kernel, known = found[name], catalog.gpus()
    if (broken := source_error(kernel)) is not None:
        raise ConfigError(broken)
    devices = [known[CPU], *local_gpus(known)]
    if (refusal := why_not(kernel, devices)) is not None:
        raise ConfigError(f"kernel {name} can't be checked here: it {refusal}")
    limits = dict(kernel.limits)
    fit = {
        gpu.kind: gpu
        for gpu in devices
        if gpu.kind in limits and limits[gpu.kind].device_refusal(gpu) is None
    }
    return kernel, list(fit.values())
