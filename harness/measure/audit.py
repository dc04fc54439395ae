"""Was the work done when the call returned, and done in this very call?

Two passes apart from the samples, so that samples don't pay for them. The cheats are those that
KernelBench and NVIDIA's SOL-ExecBench (arXiv 2603.19173) report: work on a side stream or thread
that the timer doesn't see, and answers kept from earlier calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from time import sleep

import torch
from torch import Tensor

from harness.measure.binding import Binding
from harness.measure.clock import Stopwatch, host_ns, work_ns
from harness.measure.device import MeasuredDevice
from harness.measure.tamper import thread_idents

SETTLE_S = 0.005
"""How long unseen threads of a kernel get to betray themselves by writing into its output."""
THREAD_WAIT_S = 0.2
"""How long a thread that is still there after a call is waited for."""
LAG_MS = 0.2
"""A device that is this much longer busy than the timed stream works for another stream too. On an
idle device the second synchronisation takes some 10 µs."""
MEMORY_FACTOR = 3.0
"""A call on new values this many times as slow as the samples makes one look closer …"""
PAIRS = 6
"""… at pairs of a call on new values and the same call again. A kernel that computes takes as long
for both; so much less in the best of them, and in every round, is an answer that was kept."""
ROUNDS = 3
NOISE_MS = 0.05


class Unfinished(Exception):
    """The call had returned while its work, or a part of it, was still going on."""


def finished_outputs(
    outputs: Mapping[str, Tensor], device: MeasuredDevice, threads: Set[int], *, first: bool
) -> None:
    """Hold that ``outputs``, which a call has just returned, are final; synchronises.

    ``threads``: idents of the threads that were there before the call. A copy is queued right
    behind the call, on the stream that is timed; what is written after it was not finished. A
    ``first`` call may start threads, since compilers do (that none stays is tamper's affair);
    later ones may not. Raises Unfinished.
    """
    early = {name: tensor.detach().clone() for name, tensor in outputs.items()}
    lag_ms = device.unfinished_ms()
    started = thread_idents() - threads
    watch = Stopwatch()
    while thread_idents() - threads and watch.s() < THREAD_WAIT_S:
        sleep(0.001)
    if device.torch_device.type == "cpu":
        sleep(SETTLE_S)
    device.synchronize()
    for name, copy in early.items():
        if not torch.equal(copy.nan_to_num(), outputs[name].detach().nan_to_num()):
            raise Unfinished(
                f"its output {name} was still being written after the call had returned: it left "
                "work on another stream or thread"
            )
    if started and not first:
        raise Unfinished(f"it returned with {len(started)} of its threads still there")
    if lag_ms > LAG_MS:
        raise Unfinished(
            f"the device was busy for {lag_ms:.2g} ms after the timed stream was done: it left "
            "work on another stream"
        )


def kept_answers(
    binding: Binding, device: MeasuredDevice, values: Mapping[str, Tensor], sample_ms: float
) -> str | None:
    """How a kernel gave itself away that keeps answers by the *content* of its inputs, or None.

    Such answers are right, so no check finds them: only that values seen before are faster does.
    ``sample_ms`` is the median of the samples, whose values repeat.
    """
    scale = 1.0

    def timed(fresh: bool, clock: Callable[[], int]) -> float:
        nonlocal scale
        if fresh:
            scale += 0.01  # more than the spacing of bf16, so that every number changes
        # The same values again are written again: the threads that write them spin on for a while,
        # which would count as work of the one call and not of the other.
        binding.refresh({name: _scaled(t, scale) for name, t in values.items()})
        device.synchronize()
        start = clock()
        binding.call()
        device.synchronize()
        return (clock() - start) / 1e6

    if timed(fresh=True, clock=host_ns) <= MEMORY_FACTOR * sample_ms + NOISE_MS:
        return None
    # A loaded machine stretches calls of any kind, so a CPU's are judged by the work they cost.
    clock = work_ns if device.torch_device.type == "cpu" else host_ns
    for _ in range(ROUNDS):
        pairs = [(timed(True, clock), timed(False, clock)) for _ in range(PAIRS)]
        new, repeated = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
        if new <= MEMORY_FACTOR * repeated + NOISE_MS:
            return None
    return (
        "it keeps the answers to inputs that it has seen: a call on new values takes "
        f"{new:.3g} ms, the same call again {repeated:.3g} ms"
    )


def _scaled(tensor: Tensor, scale: float) -> Tensor:
    return tensor.detach() * scale if tensor.is_floating_point() else tensor
