"""One misbehaviour for each value of the option ``how``."""

import ctypes
import os
import sys
import threading
import time

import torch

LAYOUT = "BHSD"
calls = {"count": 0}


def attention(inputs, causal=True):
    """The right answer."""
    return torch.nn.functional.scaled_dot_product_attention(
        inputs["q"], inputs["k"], inputs["v"], is_causal=causal, enable_gqa=True
    )


def wrong_numbers(inputs):
    return attention(inputs) * 1.01


def wrong_mask(inputs):
    return attention(inputs, causal=False)


def nan_in_one_place(inputs):
    out = attention(inputs).clone()
    out[-1, -1, -1, -1] = float("nan")
    return out


def wrong_dtype(inputs):
    return attention(inputs).double()


def wrong_shape(inputs):
    return attention(inputs)[:, :, :-1]


def returns_none(inputs):
    attention(inputs)


def last_tile_skipped(inputs):
    out = attention(inputs).clone()
    out[:, :, -16:] = 0
    return out


def cached_output(inputs, cache={}):  # noqa: B006 - the cache is the cheat
    key = inputs["q"].data_ptr()
    if key not in cache:
        cache[key] = attention(inputs)
    return cache[key]


def wrong_later(inputs):
    calls["count"] += 1
    out = attention(inputs)
    return out if calls["count"] < 4 else out * 1.05


def raises(inputs):
    raise ValueError("tile size 7 is not supported")


def exits(inputs):
    sys.exit(3)


def exits_hard(inputs):
    os._exit(0)


def aborts(inputs):
    os.abort()


def segfaults(inputs):
    ctypes.string_at(0)


def hangs(inputs):
    time.sleep(3600)


def hangs_in_c(inputs):
    ctypes.CDLL(None).sleep(3600)


def changes_inputs(inputs):
    inputs["k"].mul_(1.0000001)
    inputs["k"][0, 0, 0, 0] += 1
    return attention(inputs)


def changes_threads(inputs):
    torch.set_num_threads(1)
    return attention(inputs)


def changes_precision(inputs):
    torch.set_float32_matmul_precision("medium")
    return attention(inputs)


def changes_environment(inputs):
    os.environ["OMP_NUM_THREADS"] = "1"
    return attention(inputs)


def replaces_timer(inputs):
    time.perf_counter_ns = lambda: 0
    time.perf_counter = lambda: 0.0
    return attention(inputs)


def leaves_thread(inputs):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return attention(inputs)


def allocates(inputs):
    hoard = []
    while True:
        hoard.append(torch.empty(1 << 28))  # 1 GiB, never touched: the limit is on addresses


def prints_megabytes(inputs):
    print("spam " * 200_000)
    return attention(inputs)


def build(problem, device, options):
    """The function named by ``how``."""
    return globals()[options["how"]]
