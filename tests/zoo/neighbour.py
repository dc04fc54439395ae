"""Right, takes 5 ms a call, and refuses to work in a process that isn't as it should be.

The option ``beside`` names the misbehaviour that it stands beside, so that each has its own.
"""

import os
import threading
import time
import types

import torch

LAYOUT = "BHSD"
SECONDS = 0.005


def spoiled():
    """What isn't as it should be here."""
    wrong = {
        "torch threads": torch.get_num_threads() != len(os.sched_getaffinity(0)),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") != str(torch.get_num_threads()),
        "affinity": len(os.sched_getaffinity(0)) != len(os.sched_getaffinity(os.getppid())),
        "niceness": os.getpriority(os.PRIO_PROCESS, 0)
        != os.getpriority(os.PRIO_PROCESS, os.getppid()),
        "matmul precision": torch.get_float32_matmul_precision() != "highest",
        "default dtype": torch.get_default_dtype() != torch.float32,
        "deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "gradients": torch.is_grad_enabled(),
        "denormals": float(torch.tensor(2e-308, dtype=torch.float64) * 0.5) == 0,
        "other threads": threading.active_count() != 1,
        "timer": not isinstance(time.perf_counter_ns, types.BuiltinFunctionType),
        "CUDA event": torch.cuda.Event.__module__ != "torch.cuda.streams",
        "CUDA event's method": torch.cuda.Event.elapsed_time.__name__ != "elapsed_time",
        "SDPA": not isinstance(
            torch.nn.functional.scaled_dot_product_attention, types.BuiltinFunctionType
        ),
    }
    return [name for name, is_wrong in wrong.items() if is_wrong]


def build(problem, device, options):
    """Plain attention, after a while."""

    def fn(inputs):
        if spoiled():
            raise RuntimeError(f"the process was spoiled before me: {', '.join(spoiled())}")
        end = time.monotonic() + SECONDS
        out = torch.nn.functional.scaled_dot_product_attention(
            inputs["q"], inputs["k"], inputs["v"], is_causal=problem.causal, enable_gqa=True
        )
        while time.monotonic() < end:
            time.sleep(end - time.monotonic() if end > time.monotonic() else 0)
        return out

    return fn
