"""The GPU that the checks run on, as conf/gpu describes it where it does."""

from __future__ import annotations

import torch

from harness.config.catalog import gpus
from harness.model import Gpu
from harness.model.gpu import slug


def this_gpu() -> Gpu:
    """The first visible GPU; one that no yaml describes has no peaks."""
    name = torch.cuda.get_device_name(0)
    memory_gib = torch.cuda.get_device_properties(0).total_memory / 2**30
    for gpu in gpus().values():
        if gpu.kind != "cpu" and gpu.matches(name, memory_gib):
            return gpu
    major, minor = torch.cuda.get_device_capability(0)
    if torch.version.hip:
        return Gpu(slug(name), "rocm")
    return Gpu(slug(name), "cuda", compute_capability=float(f"{major}.{minor}"))
