"""Where the configs and the kernels lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

import harness
from harness.errors import ConfigError


def conf_dir() -> Path:
    """The folder of Hydra groups that ships with attnbench."""
    return _shipped("conf", marker="config.yaml")


def kernels_dir() -> Path:
    """The folder of kernel sources that ships with attnbench. Never importable as a package."""
    return _shipped("kernels")


def _shipped(name: str, marker: str = "") -> Path:
    package = Path(harness.__file__).resolve().parent
    candidates = (package / name, package.parent / name)
    for folder in candidates:
        if (folder / marker).exists():
            return folder
    raise ConfigError(
        f"attnbench's own {name}/ folder is missing (looked in {candidates[0]} and "
        f"{candidates[1]}): reinstall attnbench"
    )
