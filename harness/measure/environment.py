"""The software that a measurement ran with, as the worker sees it."""

from __future__ import annotations

import platform
import re
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import torch

import harness
from harness.model import Environment

LIBRARIES = (
    "numpy",
    "transformers",
    "flash-attn",
    "flash-attn-4",
    "flashinfer-python",
    "xformers",
    "fla-core",
    "sageattention",
    "mamba-ssm",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
    "nvidia-cutlass-dsl",
)
"""Distributions whose version is kept where they are installed."""


@lru_cache(maxsize=256)
def installed_version(distribution: str) -> str:
    """Version of an installed distribution, "" where it isn't installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def nvidia_driver() -> str:
    """Version of the NVIDIA kernel driver, "" where none is loaded."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return ""
    found = re.search(r"Kernel Module(?: for \w+)?\s+([\d.]+)", text)
    return found.group(1) if found else ""


def read_environment(harness_commit: str = "") -> Environment:
    """Versions of everything around the kernel. Called in a measuring process: it may ask CUDA."""
    cuda = torch.version.cuda or torch.version.hip or ""
    cudnn = torch.backends.cudnn.version() if cuda and torch.cuda.is_available() else None
    libraries = ((name, installed_version(name)) for name in LIBRARIES)
    return Environment(
        python=platform.python_version(),
        torch=torch.__version__,
        cuda=cuda,
        cudnn=str(cudnn or ""),
        triton=installed_version("triton"),
        driver=nvidia_driver(),
        os=f"{platform.system()} {platform.release()}",
        libraries=tuple(sorted((name, version) for name, version in libraries if version)),
        harness=harness.__version__,
        harness_commit=harness_commit,
    )
