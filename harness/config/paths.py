"""Where the configs and the kernels lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import harness
from harness.errors import ConfigError


def conf_dir() -> Path:
    """The folder of Hydra groups that ships with attnbench."""
    return _shipped(harness.__file__, "conf", "config.yaml")


def kernels_dir() -> Path:
    """The folder of kernel sources that ships with attnbench. Never importable as a package."""
    return _shipped(harness.__file__, "kernels")


@cache
def _shipped(file: str, name: str, marker: str = "") -> Path:
    package = Path(file).resolve().parent
    candidates = (package / name, package.parent / name)
    for folder in candidates:
        if (folder / marker).exists():
            return folder
    raise ConfigError(
        f"attnbench's own {name}/ folder is missing (looked in {candidates[0]} and "
        f"{candidates[1]}): reinstall attnbench"
    )
