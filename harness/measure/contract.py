"""One kernel on one problem, held to what every kernel owes: right, repeatable, inputs untouched.

What a sweep checks beside its timing, without the timing: ``attnbench check`` goes through it. A
trial marked ``fresh`` writes other values into the same inputs and calls the same ``fn`` again, so
that an answer or a copy kept from an earlier call shows.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch

from harness.errors import KernelError
from harness.measure.binding import Binding
from harness.measure.hygiene import Tampered, must_be_clean, must_be_unchanged, own_copies, poison
from harness.measure.loader import kernel_path, layout_of, load_kernel
from harness.measure.nvcc import NoCompiler
from harness.measure.outcome import Outcome, Trial
from harness.measure.tamper import snapshot
from harness.model import Kernel, Problem
from harness.operators import reference
from harness.operators.base import Expected, WrongOutput
from harness.operators.gates import Judgement, judge

Oracle = Callable[[Problem, int], Expected]
"""(problem, seed) → the right answer."""

SEEDS = (7, 8)
"""Of a trial's values, and of the other values of a fresh one."""


def oracle(problem: Problem, seed: int) -> Expected:
    """The operator's own word."""
    return reference(problem.operator).expected(problem, seed)


def attempt(
    trial: Trial,
    device: torch.device,
    oracle: Oracle = oracle,
    load: Callable[[Kernel], ModuleType] = load_kernel,
) -> Outcome:
    """Try one kernel on one problem; the outcome says whatever the kernel did wrong.

    ``oracle`` and ``load`` may keep what they gave before, where nothing else is tried meanwhile.
    """
    # before the kernel runs, which may change what the oracle would compute with
    expected = [oracle(trial.problem, seed) for seed in SEEDS[: 1 + trial.fresh]]
    try:
        return _attempt(trial, device, expected, load)
    except NoCompiler as missing:
        return Outcome("refused", str(missing))
    except KernelError as error:
        return Outcome("broken", str(error))
    except (WrongOutput, Tampered) as wrong:
        return Outcome("failed", str(wrong))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a kernel may raise anything
        return Outcome("failed", _raised(error, kernel_path(trial.kernel)))


def _attempt(
    trial: Trial,
    device: torch.device,
    expected: list[Expected],
    load: Callable[[Kernel], ModuleType],
) -> Outcome:
    kernel, problem, options = trial.kernel, trial.problem, dict(trial.kernel.options)
    operator, verdicts, answers = reference(problem.operator), [], []
    with torch.set_grad_enabled(problem.direction != "forward"):
        before = snapshot()
        module = load(kernel)
        supports = getattr(module, "supports", None)
        refusal = supports(problem, device, options) if supports else None
        if refusal is not None:
            return Outcome("refused", str(refusal))
        layout = layout_of(module)
        seeds = SEEDS[: len(expected)]
        values = [operator.make_inputs(problem, seed, device, layout) for seed in seeds]
        inputs = own_copies(values[0])
        addresses = {name: tensor.data_ptr() for name, tensor in inputs.items()}
        fn = module.build(problem, device, options)
        binding = Binding(fn, inputs, problem.direction, operator.DIFFERENTIABLE)
        for which in (0, 0, *range(1, len(values))):
            binding.refresh(values[which])
            poison(inputs)
            outputs = binding.named(binding.call())
            must_be_unchanged(inputs, values[which], addresses)
            answers.append({n: t.detach().clone() for n, t in outputs.items()})
            selected = operator.select(problem, SEEDS[which], outputs, layout)
            verdict = judge(problem, expected[which], selected, quantised=kernel.quantised)
            if not verdict.ok:
                return _wrong(verdict, len(answers), fresh=which > 0)
            verdicts.append(verdict)
        must_be_clean(before)
    worst = max(verdicts, key=lambda v: v.strain)
    repeated = all(torch.equal(answers[0][name], answers[1][name]) for name in answers[0])
    return Outcome("passed", "", _error(worst), worst.strain, repeated)


def _wrong(verdict: Judgement, calls: int, *, fresh: bool) -> Outcome:
    when = " on the second call with the same values" if calls == 2 else ""
    when = " on new values, though right on the first: it keeps something" if fresh else when
    return Outcome("failed", verdict.reason + when, _error(verdict), verdict.strain)


def _error(verdict: Judgement) -> float:
    return verdict.accuracy.max_error if verdict.accuracy else 0.0


def _raised(error: BaseException, file: Path) -> str:
    """The exception, its first lines, and the line of the kernel's file that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename) == file]
    frame = (own or frames)[-1]
    text = " ".join(str(error).split())
    text = text if len(text) <= 200 else f"{text[:200]} …"
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {text}"
