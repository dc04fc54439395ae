"""Right answers, got or timed by foul means: the option ``how`` names the function."""

import _thread
import os
import subprocess
import sys
import threading
import time

import torch

LAYOUT = "BHSD"


def attention(inputs):
    """The right answer."""
    return torch.nn.functional.scaled_dot_product_attention(
        inputs["q"], inputs["k"], inputs["v"], is_causal=True, enable_gqa=True
    )


def changes_inputs(inputs):
    out = attention(inputs)
    inputs["k"][0, 0, 0, 0] += 1
    return out


def moves_inputs(inputs):
    inputs["k"].set_(inputs["k"].clone())
    return attention(inputs)


def changes_threads(inputs):
    torch.set_num_threads(1)
    return attention(inputs)


def changes_precision(inputs):
    torch.set_float32_matmul_precision("medium")
    return attention(inputs)


def changes_default_dtype(inputs):
    out = attention(inputs)
    torch.set_default_dtype(torch.float64)
    return out


def changes_deterministic_mode(inputs):
    torch.use_deterministic_algorithms(True)
    return attention(inputs)


def changes_gradient_mode(inputs):
    torch.set_grad_enabled(True)
    return attention(inputs)


def flushes_denormals(inputs):
    torch.set_flush_denormal(True)
    return attention(inputs)


def changes_environment(inputs):
    os.environ["OMP_NUM_THREADS"] = "1"
    return attention(inputs)


def changes_affinity(inputs):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return attention(inputs)


def changes_niceness(inputs):
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + 1)
    return attention(inputs)


def replaces_timer(inputs):
    time.perf_counter_ns = lambda: 0
    time.perf_counter = lambda: 0.0
    return attention(inputs)


def replaces_cuda_event(inputs):
    class Event(torch.cuda.Event):
        def elapsed_time(self, end):
            return 1e-3

    torch.cuda.Event = Event
    return attention(inputs)


def replaces_elapsed_time(inputs):
    torch.cuda.Event.elapsed_time = lambda self, end: 1e-3
    return attention(inputs)


def replaces_the_harness_clock(inputs):
    device = sys.modules["harness.measure.device_cpu"]
    true = device.host_ns
    if not hasattr(device, "true_ns"):
        device.true_ns = true
        device.host_ns = lambda: true() // 1000
    return attention(inputs)


def replaces_a_competitor(inputs):
    """Its neighbours' SDPA becomes slow."""
    fast = torch.nn.functional.scaled_dot_product_attention
    out = attention(inputs)

    def slow(*args, **kwargs):
        time.sleep(0.05)
        return fast(*args, **kwargs)

    torch.nn.functional.scaled_dot_product_attention = slow
    return out


def leaves_thread(inputs):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return attention(inputs)


def leaves_process(inputs):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    return attention(inputs)


def forks(inputs):
    """The child goes on inside the harness's own code."""
    os.fork()
    return attention(inputs)


def works_in_a_thread(inputs):
    """Returns at once; the answer is written a moment later."""
    out = torch.empty_like(inputs["q"])

    def work():
        time.sleep(0.001)
        out.copy_(attention(inputs))

    threading.Thread(target=work).start()
    return out


def works_in_a_raw_thread(inputs):
    """As above, by a thread that the module threading doesn't know of."""
    out = torch.empty_like(inputs["q"])

    def work():
        time.sleep(0.001)
        out.copy_(attention(inputs))

    _thread.start_new_thread(work, ())
    return out


def works_on_a_side_stream(inputs, streams=[]):  # noqa: B006 - the stream lives on
    """Returns an output that the timed stream knows nothing of (CUDA)."""
    if not streams:
        streams.append(torch.cuda.Stream())
    streams[0].wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(streams[0]):
        return attention(inputs)


def remembers_answers(inputs, answers={}):  # noqa: B006 - the memory is the cheat
    """Right always: answers are kept by the content of the inputs."""
    key = tuple(float(inputs[name].sum()) for name in "qkv")
    if key not in answers:
        end = time.process_time() + 0.01
        while time.process_time() < end:  # what it takes to compute
            pass
        answers[key] = attention(inputs)
    return answers[key]


def build(problem, device, options):
    """The function named by ``how``."""
    return globals()[options["how"]]
