"""What a kernel must leave as it found it: snapshots of the process's global state.

Any difference makes the record ``invalid``, and the process isn't used again: the next kernel's
number would be made under another one's settings (KernelBench and GPU MODE found kernels that
replace timers or switch precision).
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from harness.measure.watched import replaced, watched

STEERING = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "CUDA_", "CUBLAS_", "CUDNN_", "NVIDIA_")
"""A new environment variable with one of these prefixes can change a neighbour's speed; others are
what libraries set when they are imported, and are let be."""
TORCH_OWN = frozenset({"_TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR"})
"""Written by torch.compile in each process (torch/_inductor/codecache.py), for itself."""


def snapshot() -> dict[str, Any]:
    """The global state that a kernel's call must not change, by name."""
    return {
        "torch.get_num_threads()": torch.get_num_threads(),
        "torch.get_default_dtype()": torch.get_default_dtype(),
        "torch.get_float32_matmul_precision()": torch.get_float32_matmul_precision(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "torch.is_grad_enabled()": torch.is_grad_enabled(),
        "torch.is_inference_mode_enabled()": torch.is_inference_mode_enabled(),
        "torch.get_num_interop_threads()": torch.get_num_interop_threads(),
        "torch.get_default_device()": str(torch.get_default_device()),
        "autocast on the CPU": torch.is_autocast_enabled("cpu"),
        "autocast on CUDA": torch.is_autocast_enabled("cuda"),
        "denormal numbers are flushed": _flushes_denormals(),
        "mkldnn.enabled": torch.backends.mkldnn.enabled,
        "cudnn.deterministic": torch.backends.cudnn.deterministic,
        "cudnn.benchmark": torch.backends.cudnn.benchmark,
        "cudnn.allow_tf32": torch.backends.cudnn.allow_tf32,
        "cuda.matmul.allow_tf32": torch.backends.cuda.matmul.allow_tf32,
        "cuda.flash_sdp": torch.backends.cuda.flash_sdp_enabled(),
        "cuda.math_sdp": torch.backends.cuda.math_sdp_enabled(),
        "cuda.mem_efficient_sdp": torch.backends.cuda.mem_efficient_sdp_enabled(),
        "cuda.cudnn_sdp": torch.backends.cuda.cudnn_sdp_enabled(),
        "bf16 reduction": torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction,
        "fp16 reduction": torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
        "threads": thread_idents(),
        "processes": _child_processes(),
        "environment variables": tuple(sorted(os.environ.items())),
        "working directory": os.getcwd(),
        "gc enabled": gc.isenabled(),
        "SIGALRM handler": signal.getsignal(signal.SIGALRM),
        "timer of SIGALRM": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "recursion limit": sys.getrecursionlimit(),
        "thread switch interval": sys.getswitchinterval(),
        "trace function": sys.gettrace(),
        "profile function": sys.getprofile(),
        "processor affinity": frozenset(os.sched_getaffinity(0)),
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
        "namespaces": watched(),
    }


def thread_idents() -> frozenset[int]:
    """The Python threads that are there now, those that ``threading`` doesn't know of too."""
    return frozenset(sys._current_frames())


def _child_processes() -> frozenset[int]:
    """Pids of this process's own children, ended ones that nobody has waited for included."""
    found: set[int] = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            found.update(map(int, listed.read_text().split()))
    return frozenset(found)


def _flushes_denormals() -> bool:
    """torch.set_flush_denormal has no getter: half of the smallest normal number tells."""
    return bool(torch.tensor(2.2250738585072014e-308, dtype=torch.float64).mul(0.5) == 0)


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What changed, as ``name: before → after``; the values only where they are short."""
    changed = []
    for name, old in before.items():
        new = after[name]
        if name == "namespaces":
            changed += [f"{what} was replaced" for what in replaced(old, new)]
            continue
        if new == old:
            continue
        if name == "environment variables":
            keys = _changed_variables(dict(old), dict(new))
            if keys:
                changed.append(f"environment variables: {', '.join(keys)}")
        elif isinstance(old, int | float | str | bool | torch.dtype):
            changed.append(f"{name}: {old} → {new}")
        elif name in ("threads", "processes"):
            if new - old:
                changed.append(f"{name}: {len(new - old)} left running")
        elif name == "processor affinity":
            changed.append(f"{name}: {sorted(old)} → {sorted(new)}")
        else:
            changed.append(f"{name} was replaced")
    return changed


def _changed_variables(old: dict[str, str], new: dict[str, str]) -> list[str]:
    changed = {k for k, v in old.items() if new.get(k) != v and k not in TORCH_OWN}
    added = {key for key in new.keys() - old.keys() if key.startswith(STEERING)}
    return sorted(changed | added)
