"""Kernel files: found by path, hashed, loaded under a private module name.

A kernels folder is a plug-in folder, not a package: it never goes on ``sys.path`` (Hugging Face
ships an import package ``kernels``, which it would shadow).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.config.paths import kernels_dir
from harness.errors import KernelError, did_you_mean
from harness.measure.files import source_files
from harness.model import Kernel

KERNEL_MODULES = "_attnbench_kernel_"
"""What the names of kernels' modules begin with in ``sys.modules``."""


def kernel_path(kernel: Kernel) -> Path:
    """Where the kernel's code is on this machine. Raises KernelError if it isn't there."""
    folder = Path(kernel.folder) if kernel.folder else kernels_dir()
    path = folder / kernel.file
    if not path.is_file():
        near = did_you_mean(kernel.file, (str(f.relative_to(folder)) for f in folder.rglob("*.py")))
        raise KernelError(f"kernel {kernel.name}: no file {kernel.file} in {folder}. {near}")
    return path


def source_hash(path: Path) -> str:
    """SHA-256 (hex) over the bytes of a kernel's file and of its CUDA sources.

    The sources of ``x.py`` are the files of the folder ``x/`` next to it, where there is one, and
    what they include in quotes.
    """
    found = hashlib.sha256(path.read_bytes())
    folder = path.with_suffix("")
    for file in source_files(path)[1:]:
        name = os.path.relpath(file, folder if file.is_relative_to(folder) else folder.resolve())
        found.update(name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def load_kernel(kernel: Kernel) -> ModuleType:
    """The kernel's module, loaded afresh by path under a private name.

    Raises KernelError if the file isn't there, doesn't import (the cause is chained) or has no
    ``build``. What the file raises while importing other than an Exception passes through.
    """
    path = kernel_path(kernel)
    name = f"{KERNEL_MODULES}{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise KernelError(f"kernel {kernel.name}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling inside the file look it up by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        what = f"{type(error).__name__}: {error}"
        raise KernelError(f"kernel {kernel.name}: {path} doesn't import: {what}") from error
    if not callable(getattr(module, "build", None)):
        raise KernelError(f"kernel {kernel.name}: {path} has no build(problem, device, options)")
    if hasattr(module, "CUDA"):
        vars(module)["library"] = _cuda_library(path, module.CUDA)
    return module


def _cuda_library(path: Path, said: Mapping[str, Any]) -> Callable[[Any], Any]:
    from harness.measure.nvcc import library_of  # lists, which load no torch, import this file

    return library_of(path, said)


def layout_of(module: ModuleType) -> str:
    """The native layout its inputs are allocated in."""
    return str(getattr(module, "LAYOUT", "BHSD"))
