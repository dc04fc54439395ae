"""What a kernel must leave as it found it: snapshots of the process's global state.

Any difference makes the record ``invalid``, and the process isn't used again: the next kernel's
number would be made under another one's settings (KernelBench and GPU MODE found kernels that
replace timers or switch precision).
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from typing import Any

import torch

STEERING = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "CUDA_", "CUBLAS_", "CUDNN_", "NVIDIA_")
"""A new environment variable with one of these prefixes can change a neighbour's speed; others are
what libraries set when they are imported, and are let be."""


def snapshot() -> dict[str, Any]:
    """The global state that a kernel's call must not change, by name."""
    return {
        "torch.get_num_threads()": torch.get_num_threads(),
        "torch.get_default_dtype()": torch.get_default_dtype(),
        "torch.get_float32_matmul_precision()": torch.get_float32_matmul_precision(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "torch.is_grad_enabled()": torch.is_grad_enabled(),
        "cudnn.benchmark": torch.backends.cudnn.benchmark,
        "cudnn.allow_tf32": torch.backends.cudnn.allow_tf32,
        "cuda.matmul.allow_tf32": torch.backends.cuda.matmul.allow_tf32,
        "cuda.flash_sdp": torch.backends.cuda.flash_sdp_enabled(),
        "cuda.math_sdp": torch.backends.cuda.math_sdp_enabled(),
        "cuda.mem_efficient_sdp": torch.backends.cuda.mem_efficient_sdp_enabled(),
        "cuda.cudnn_sdp": torch.backends.cuda.cudnn_sdp_enabled(),
        "time.perf_counter": time.perf_counter,
        "time.perf_counter_ns": time.perf_counter_ns,
        "time.time": time.time,
        "time.monotonic": time.monotonic,
        "torch.cuda.Event": torch.cuda.Event,
        "torch.cuda.synchronize": torch.cuda.synchronize,
        "torch.allclose": torch.allclose,
        "threads": frozenset(t.ident for t in threading.enumerate()),
        "environment variables": tuple(sorted(os.environ.items())),
        "working directory": os.getcwd(),
        "gc enabled": gc.isenabled(),
        "SIGALRM handler": signal.getsignal(signal.SIGALRM),
        "recursion limit": sys.getrecursionlimit(),
    }


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What changed, as ``name: before → after``; the values only where they are short."""
    changed = []
    for name, old in before.items():
        new = after[name]
        if new == old:
            continue
        if name == "environment variables":
            keys = _changed_variables(dict(old), dict(new))
            if keys:
                changed.append(f"environment variables: {', '.join(keys)}")
        elif isinstance(old, int | float | str | bool | torch.dtype):
            changed.append(f"{name}: {old} → {new}")
        elif name == "threads":
            changed.append(f"threads: {len(new - old)} left running")
        else:
            changed.append(f"{name} was replaced")
    return changed


def _changed_variables(old: dict[str, str], new: dict[str, str]) -> list[str]:
    changed = {key for key, value in old.items() if new.get(key) != value}
    added = {key for key in new.keys() - old.keys() if key.startswith(STEERING)}
    return sorted(changed | added)
