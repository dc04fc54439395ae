"""Accidents that end a call or a process: the option ``how`` names the function."""

import ctypes
import os
import signal
import sys
import time

import torch

LAYOUT = "BHSD"


def attention(inputs):
    """The right answer."""
    return torch.nn.functional.scaled_dot_product_attention(
        inputs["q"], inputs["k"], inputs["v"], is_causal=True, enable_gqa=True
    )


def raises(inputs):
    raise ValueError("tile size 7 is not supported")


def raises_what_no_store_keeps(inputs):
    """NUL, half a character, and five megabytes."""
    raise ValueError("\0 \ud800 <b> " + "x" * 5_000_000)


def raises_without_words(inputs):
    class Speechless(Exception):
        def __str__(self):
            raise RuntimeError("not even this")

    raise Speechless


def recurses(inputs):
    return recurses(inputs)


def exits(inputs):
    sys.exit(3)


def exits_hard(inputs):
    os._exit(0)


def aborts(inputs):
    os.abort()


def segfaults(inputs):
    ctypes.string_at(0)


def sticky_cuda_error(inputs):
    """After an illegal access every later CUDA call of a process fails with the same error."""

    def fails(*args, **kwargs):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    for name in ("empty", "empty_like", "randn", "matmul"):
        setattr(torch, name, fails)
    fails()


def killed_by_the_system(inputs):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(inputs):
    time.sleep(3600)


def hangs_in_c(inputs):
    ctypes.CDLL(None).sleep(3600)


def allocates(inputs):
    hoard = []
    while True:
        # 1 GiB, never touched: on a CPU the limit is on addresses
        hoard.append(torch.empty(1 << 28, device=inputs["q"].device))


def prints_megabytes(inputs):
    print("spam " * 200_000)
    return attention(inputs)


def build(problem, device, options):
    """The function named by ``how``."""
    return globals()[options["how"]]
