"""Programs that a kernel needs at hand, such as nvcc: found without running them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CUDA_VARIABLES = ("CUDA_HOME", "CUDA_PATH")
"""What names a CUDA toolkit's folder, by custom."""
CUDA_FOLDER = Path("/usr/local/cuda")
"""Where NVIDIA's packages put it, often without a place on PATH."""


def find_program(name: str) -> str | None:
    """The path of ``name``, in this order: the CUDA toolkit that a variable names, PATH, CUDA's
    own folder."""
    named = [Path(os.environ[v]) / "bin" for v in CUDA_VARIABLES if os.environ.get(v)]
    places = [str(folder) for folder in named] + [os.environ.get("PATH", os.defpath)]
    return shutil.which(name, path=os.pathsep.join([*places, str(CUDA_FOLDER / "bin")]))
