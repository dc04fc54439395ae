"""What a kernel could replace to look faster, or its neighbours slower: whole namespaces.

KernelBench, GPU MODE's evaluator and NVIDIA's SOL-ExecBench (arXiv 2603.19173) met kernels that
put their own functions in place of timers, of comparisons, of the library call that a competitor
makes, and of the harness's own code. Every function, class and plain constant of these namespaces
must be the same object afterwards; names added (modules load lazily) are let be.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from typing import Any

import torch

Namespaces = dict[str, dict[str, Any]]

_HELD = (int, float, str, bytes, property, classmethod, staticmethod)
_TORCH = (
    *("matmul", "mm", "bmm", "baddbmm", "einsum", "softmax", "exp", "exp2", "equal", "allclose"),
    *("isfinite", "empty", "empty_like", "zeros", "zeros_like", "full_like", "compile"),
)
_CUDA = ("Event", "Stream", "synchronize", "current_stream", "max_memory_allocated")
_SPACES = {
    "time": time,
    "gc": gc,
    "threading": threading,
    "torch.nn.functional": torch.nn.functional,
    "torch.Tensor": torch.Tensor,
    "torch.cuda.Event": torch.cuda.Event,
    "torch.cuda.Stream": torch.cuda.Stream,
    "torch.autograd": torch.autograd,
}


def watched() -> Namespaces:
    """Copies of the namespaces, by dotted name: those of timers, of torch and of the harness."""
    found = {name: dict(vars(space)) for name, space in _SPACES.items()}
    found["torch"] = {name: getattr(torch, name) for name in _TORCH}
    found["torch.cuda"] = {name: getattr(torch.cuda, name) for name in _CUDA}
    for name, module in list(sys.modules.items()):
        if name.startswith("harness.") and module is not None:
            space = dict(vars(module))
            found[name] = space
            for key, value in space.items():
                if isinstance(value, type) and value.__module__ == name:
                    found[f"{name}.{key}"] = dict(vars(value))
    return found


def replaced(before: Namespaces, after: Namespaces) -> list[str]:
    """Dotted names that hold another function, class or constant than before."""
    found = []
    for name, old in before.items():
        new = after.get(name, {})
        for key, value in old.items():
            if new.get(key) is value:
                continue
            if callable(value) or isinstance(value, _HELD):
                found.append(f"{name}.{key}")
    return found
