"""One job, start to end, in this process: build → check → memory → time → check → Record.

What the *kernel* does wrong becomes a Record with a status; only the harness's own faults raise.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.errors import KernelError
from harness.measure.audit import Unfinished, finished_outputs, kept_answers
from harness.measure.binding import Binding
from harness.measure.clock import Stopwatch
from harness.measure.compiled import CompileWatch
from harness.measure.device import MeasuredDevice, NotCapturable
from harness.measure.drawn import DrawnInputs
from harness.measure.energy import measure_energy
from harness.measure.environment import installed_version
from harness.measure.hygiene import Tampered, must_be_clean, must_be_unchanged, own_copies, poison
from harness.measure.loader import kernel_path, layout_of, load_kernel, source_hash
from harness.measure.nvcc import NoCompiler
from harness.measure.request import Request
from harness.measure.said import first_line, kept, words
from harness.measure.sampling import Series, sample_series
from harness.measure.tamper import snapshot, thread_idents
from harness.model import (
    Accuracy,
    Device,
    Environment,
    Kernel,
    Memory,
    Record,
    Status,
    median,
    utc_now,
)
from harness.operators import cost_model, reference
from harness.operators.base import WrongOutput
from harness.operators.gates import Judgement

Judge = Callable[[int, dict[str, np.ndarray]], Judgement]
"""Compares selected outputs with the oracle of value set 0 or 1."""


drawn = DrawnInputs()
"""Of this process: jobs run one after the other."""


class _Unsupported(Exception):
    """The kernel says that it can't do this problem here."""


def run_job(
    request: Request,
    device: MeasuredDevice,
    facts: Device,
    environment: Environment,
    judge: Judge,
) -> Record:
    """Measure ``request`` on ``device``; ``facts`` and ``environment`` go into the record."""
    started_at, watch = utc_now(), Stopwatch()
    version = installed_version(request.job.kernel.library) if request.job.kernel.library else ""
    about: dict[str, Any] = {
        "device": facts,
        "environment": environment,
        "revision": dataclasses.replace(request.revision, library_version=version),
        "started_at": started_at,
    }

    def ended(status: Status, reason: str, log: str = "") -> Record:
        return request.failed(status, kept(reason), log=kept(log), duration_s=watch.s(), **about)

    try:
        measured = _measure(request, device, judge)
    except (_Unsupported, NoCompiler) as unsupported:
        return ended(Status.SKIPPED, words(unsupported))
    except (Tampered, Unfinished) as tampered:
        return ended(Status.INVALID, str(tampered))
    except WrongOutput as wrong:
        return ended(Status.INCORRECT, str(wrong))
    except (KernelError, NotCapturable) as broken:
        return ended(Status.ERROR, first_line(broken), traceback.format_exc())
    except SystemExit as left:
        return ended(Status.ERROR, f"called sys.exit({left.code!r})", traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - a kernel may raise anything; it becomes a record
        status = Status.OUT_OF_MEMORY if is_out_of_memory(error) else Status.ERROR
        reason = f"{type(error).__name__}: {first_line(error)}"
        return ended(status, reason, traceback.format_exc())
    return Record(
        sweep_id=request.sweep_id,
        kernel=request.job.kernel,
        problem=request.job.problem,
        gpu=request.job.gpu.name,
        timing=request.job.timing,
        status=Status.OK,
        launch=request.launch,
        attempt=request.attempt,
        workload=request.job.workload,
        experiment=request.job.experiment,
        duration_s=watch.s(),
        **measured,
        **about,
    )


def _measure(request: Request, device: MeasuredDevice, judge: Judge) -> dict[str, Any]:
    """The fields of an ok record that measuring fills in."""
    job, problem, timing = request.job, request.job.problem, request.job.timing
    _need_what_it_names(job.kernel)
    _need_same_source(request)
    operator = reference(problem.operator)
    with torch.set_grad_enabled(problem.direction != "forward"), CompileWatch() as compiled:
        before = snapshot()
        module = load_kernel(job.kernel)
        options = dict(job.kernel.options)
        _ask_support(module, request, device)
        layout = layout_of(module)
        values = [drawn.of(problem, seed, device.torch_device, layout) for seed in request.seeds()]
        inputs = own_copies(values[0])
        compiled.listen()
        watch = Stopwatch()
        fn = module.build(problem, device.torch_device, options)
        compiled.listen()  # a kernel may import Triton as late as this
        device.synchronize()
        setup_ms = watch.ms()
        binding = Binding(fn, inputs, problem.direction, operator.DIFFERENTIABLE)

        addresses = {name: tensor.data_ptr() for name, tensor in inputs.items()}

        def check(
            which: int, raw: Any, threads: frozenset[int], *, first: bool = False
        ) -> Accuracy:
            outputs = binding.named(raw)
            finished_outputs(outputs, device, threads, first=first)
            must_be_unchanged(inputs, values[which], addresses)
            seed = request.seeds()[which]
            verdict = judge(which, operator.select(problem, seed, outputs, layout))
            if not verdict.ok or verdict.accuracy is None:
                raise WrongOutput(verdict.reason)
            return verdict.accuracy

        poison(inputs)
        binding.prepare()
        device.synchronize()
        threads, watch = thread_idents(), Stopwatch()
        raw = binding.call()
        device.synchronize()
        first_call_ms = watch.ms()
        errors = [check(0, raw, threads, first=True)]
        del raw
        must_be_clean(before)
        memory, read_off = _memory(binding, device) if timing.memory_pass else (None, {})
        series = sample_series(binding, device, timing, values, request.seeds()[0])
        errors += _check_after(series, binding, values, check)
        read_off |= compiled.found()
        if timing.energy:
            read_off |= _energy(binding, device, median(series.samples_ms))
        memorised = kept_answers(binding, device, values[0], median(series.samples_ms))
        if memorised is not None:
            raise Tampered(memorised)
        must_be_clean(before)
    costs = cost_model(problem.operator)
    return {
        "samples_ms": series.samples_ms,
        "calls_per_sample": series.calls_per_sample,
        "stop_reason": series.stop_reason,
        "warmup_calls": series.warmup_calls,
        "setup_ms": setup_ms,
        "first_call_ms": first_call_ms,
        "accuracy": max(errors, key=lambda a: a.max_error),
        "memory": memory,
        "flops": costs.flops(problem),
        "min_bytes": costs.min_bytes(problem),
        "cost_model": costs.MODEL,
        "flags": series.flags,
        "conditions": tuple(sorted((device.conditions() | series.conditions | read_off).items())),
    }


def _check_after(
    series: Series,
    binding: Binding,
    values: Sequence[Mapping[str, Tensor]],
    check: Callable[[int, Any, frozenset[int]], Accuracy],
) -> list[Accuracy]:
    """Check what the last timed call returned, and one more call, on the other values."""
    found = [check(series.last_values, series.last_raw, thread_idents())]
    other = 1 - series.last_values
    binding.refresh(values[other])
    poison(binding.inputs)
    threads = thread_idents()
    return [*found, check(other, binding.call(), threads)]


def _memory(binding: Binding, device: MeasuredDevice) -> tuple[Memory, dict[str, float | str]]:
    """Peak of one call in the allocator; for the record, that of another on the whole device."""
    binding.prepare()
    held: list[Any] = []
    memory = device.peak_memory(lambda: held.append(binding.call()))
    held.clear()
    taken = device.device_memory(lambda: held.append(binding.call()))
    return memory, {} if taken is None else {"device_memory_bytes": float(taken)}


def _energy(binding: Binding, device: MeasuredDevice, call_ms: float) -> dict[str, float | str]:
    """Energy of a call for the record, or why there is none."""
    binding.prepare()
    return measure_energy(
        lambda calls: device.time_burst(binding.call, calls), device.energy_j, call_ms
    )


def _need_what_it_names(kernel: Kernel) -> None:
    if kernel.lacking:
        how = f" ({kernel.remedy})" if kernel.remedy else ""
        raise _Unsupported(f"needs {', '.join(kernel.lacking)}, not installed on this worker{how}")


def _need_same_source(request: Request) -> None:
    found = source_hash(kernel_path(request.job.kernel))
    if found != request.revision.source_hash:
        raise KernelError(
            f"kernel {request.job.kernel.name}: this worker's {request.job.kernel.file} has hash "
            f"{found[:12]}, the driver's {request.revision.source_hash[:12]}: install the same "
            "version on every node, or start the sweep again if the file was edited"
        )


def _ask_support(module: ModuleType, request: Request, device: MeasuredDevice) -> None:
    supports = getattr(module, "supports", None)
    if supports is None:
        return
    options = dict(request.job.kernel.options)
    reason = supports(request.job.problem, device.torch_device, options)
    if reason is not None:
        raise _Unsupported(str(reason))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on the host or on the device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = words(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "CUDA out of memory" in text
    )
