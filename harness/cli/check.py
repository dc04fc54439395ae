"""``attnbench check``: one kernel held to every claim of its yaml, on this machine."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import typer

from harness.cli.common import user_kernel_dirs
from harness.errors import ConfigError, did_you_mean
from harness.model import Gpu, Kernel, Problem

SEED = 7
BIG = 30.0
"""How many times the usual scale the case of big scores has: exp overflows without a maximum."""
SOFTMAX = ("attention", "decode", "mla")
"""Operators whose scores have a scale."""


def check_command(name: str, kernels: list[Path]) -> int:
    """Body of ``attnbench check``; returns 0 where all is right, 1 where something failed."""
    import torch

    from harness.config import catalog
    from harness.measure.loader import load_kernel

    found = catalog.kernels(user_kernel_dirs(kernels))
    if name in found.errors:
        raise ConfigError(f"kernel {name}: {found.errors[name]}")
    if name not in found:
        raise ConfigError(f"there is no kernel {name}. {did_you_mean(name, found)}")
    kernel = found[name]
    load_kernel(kernel)  # its error, if it has one, before anything else
    devices = {"cpu": Gpu("cpu", "cpu")}
    if torch.cuda.is_available():
        major, minor = torch.cuda.get_device_capability()
        kind = "rocm" if torch.version.hip else "cuda"
        devices[kind] = Gpu("this", kind, compute_capability=major + minor / 10)
    here = {kind: gpu for kind, gpu in devices.items() if kind in dict(kernel.limits)}
    if not here:
        claimed = ", ".join(kind for kind, _ in kernel.limits)
        raise ConfigError(f"kernel {name} runs on {claimed}; this machine has {', '.join(devices)}")
    failures = sum(_check_device(kernel, gpu) for gpu in here.values())
    typer.echo(f"{name}: " + (f"{failures} failed" if failures else "everything passed"))
    return 1 if failures else 0


def _check_device(kernel: Kernel, gpu: Gpu) -> int:
    from harness.operators.cases import claims

    failures = 0
    for dtype, direction in claims(kernel, gpu.kind):
        passed, refused, wrong, notes = 0, 0, [], set()
        worst = 0.0
        for problem in _problems(kernel, dtype, direction, gpu):
            status, reason, error = _try(kernel, problem, gpu.kind)
            passed += status == "ok"
            refused += status == "refused"
            worst = max(worst, error)
            if status == "failed":
                wrong.append(f"{problem.summary()}: {reason}")
            elif reason:
                notes.add(reason)
        line = f"{gpu.kind} {dtype} {direction}: {passed} passed, largest error {worst:.2g}"
        line += f", {refused} refused" if refused else ""
        typer.echo(line + (f", {len(wrong)} FAILED" if wrong else ""))
        for text in wrong:
            typer.echo(f"  FAILED {text}")
        for text in sorted(notes):
            typer.echo(f"  note: {text}")
        if not passed and not wrong:
            wrong.append("nothing")
            typer.echo("  FAILED nothing of this claim could be tried")
        failures += len(wrong)
    return failures


def _problems(kernel: Kernel, dtype: str, direction: str, gpu: Gpu) -> Iterator[Problem]:
    """Every claimed case, and the last once more with big scores."""
    from harness.operators.cases import cases

    last = None
    for last in cases(kernel, dtype, direction, gpu):
        yield last
    if last is not None and kernel.operator in SOFTMAX:
        yield replace(last, scale=BIG * last.effective_scale)


def _try(kernel: Kernel, problem: Problem, kind: str) -> tuple[str, str, float]:
    """(ok, refused or failed; why or a note; the largest error) of one problem."""
    import torch

    from harness.measure.binding import Binding
    from harness.measure.loader import layout_of, load_kernel
    from harness.operators import reference
    from harness.operators.base import WrongOutput
    from harness.operators.gates import judge

    module, options = load_kernel(kernel), dict(kernel.options)
    device, operator = torch.device("cpu" if kind == "cpu" else "cuda"), reference(problem.operator)
    layout = layout_of(module)
    try:
        supports = getattr(module, "supports", None)
        refusal = supports(problem, device, options) if supports else None
        if refusal is not None:
            return "refused", f"refused: {refusal}", 0.0
        inputs = operator.make_inputs(problem, SEED, device, layout)
        before = {n: t.detach().clone() for n, t in inputs.items()}
        with torch.set_grad_enabled(problem.direction != "forward"):
            fn = module.build(problem, device, options)
            binding = Binding(fn, inputs, problem.direction, operator.DIFFERENTIABLE)
            binding.prepare()
            first = {n: t.detach().clone() for n, t in binding.named(binding.call()).items()}
            second = binding.named(binding.call())
        changed = [n for n, t in inputs.items() if not torch.equal(before[n], t)]
        if changed:
            return "failed", f"it changed its input {', '.join(changed)}", 0.0
        expected = operator.expected(problem, SEED)
        verdict = None
        for outputs in (first, second):
            selected = operator.select(problem, SEED, outputs, layout)
            verdict = judge(problem, expected, selected)
            if not verdict.ok:
                break
    except WrongOutput as wrong:
        return "failed", str(wrong), 0.0
    except Exception as error:  # noqa: BLE001 - a kernel may raise anything; it is a failed check
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        text = " ".join(str(error).split())[:200]
        return "failed", f"{type(error).__name__} at {place}: {text}", 0.0
    assert verdict is not None
    largest = verdict.accuracy.max_error if verdict.accuracy else 0.0
    if not verdict.ok:
        return "failed", verdict.reason, largest
    same = all(torch.equal(first[n], second[n]) for n in first)
    return "ok", "" if same else "two calls differ in their last bits", largest
