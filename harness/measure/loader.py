"""Kernel files: found by path, hashed, loaded under a private module name.

A kernels folder is a plug-in folder, not a package: it never goes on ``sys.path`` (Hugging Face
ships an import package ``kernels``, which it would shadow).
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from harness.config.paths import kernels_dir
from harness.errors import KernelError, did_you_mean
from harness.model import Kernel


def kernel_path(kernel: Kernel) -> Path:
    """Where the kernel's code is on this machine. Raises KernelError if it isn't there."""
    folder = Path(kernel.folder) if kernel.folder else kernels_dir()
    path = folder / kernel.file
    if not path.is_file():
        near = did_you_mean(kernel.file, (str(f.relative_to(folder)) for f in folder.rglob("*.py")))
        raise KernelError(f"kernel {kernel.name}: no file {kernel.file} in {folder}. {near}")
    return path


def source_hash(path: Path) -> str:
    """SHA-256 (hex) over the bytes of a kernel's file and of the CUDA sources beside it.

    The sources of ``x.py`` are the files of the folder ``x/`` next to it, where there is one.
    """
    found = hashlib.sha256(path.read_bytes())
    sources = path.with_suffix("")
    if sources.is_dir():
        for file in sorted(f for f in sources.rglob("*") if f.is_file()):
            if "__pycache__" in file.parts:
                continue
            found.update(str(file.relative_to(sources)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def load_kernel(kernel: Kernel) -> ModuleType:
    """The kernel's module, loaded afresh by path under a private name.

    Raises KernelError if the file isn't there, doesn't import (the cause is chained) or has no
    ``build``. What the file raises while importing other than an Exception passes through.
    """
    path = kernel_path(kernel)
    name = f"_attnbench_kernel_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
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
    return module


def layout_of(module: ModuleType) -> str:
    """The native layout its inputs are allocated in."""
    return str(getattr(module, "LAYOUT", "BHSD"))
