"""Collector: walks the cells of the matrices and sorts them into jobs, skips and left out.

Speed is a matter of sharing: problems, kernels, GPUs and timings are built once for each
combination of the axes that they depend on, and a cell only joins them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Generic, TypeVar

from hydra.core.default_element import ConfigDefault

from harness.config.catalog import RESOLVED_LATER
from harness.config.experiment import Experiment
from harness.config.loader import Composer
from harness.config.matrix import Combo, Matrix
from harness.config.nouns import gpu_of, kernel_of, problem_of, timing_of
from harness.config.paths import kernels_dir
from harness.errors import ConfigError, InvalidProblem, did_you_mean
from harness.model import Gpu, Job, Kernel, Plan, Problem, Skip, Timing
from harness.operators import cost_model
from harness.plan.conditions import Rule
from harness.plan.targets import Targets

T = TypeVar("T")


class Shared(Generic[T]):
    """A value per cell, built once for all cells that agree in the sections it is made of."""

    def __init__(self, matrix: Matrix, sections: Sequence[str], build: Callable[[Combo], T]):
        axes = sorted({axis for name in sections for axis in matrix.depends(name)})
        self._key: Callable[[Combo], Any] = itemgetter(*axes) if axes else lambda combo: ()
        self._build = build
        self._made: dict[Any, T] = {}

    def __call__(self, combo: Combo) -> T:
        """The value of one cell."""
        key = self._key(combo)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._build(combo)
        return made


class Collector:
    """Collects the jobs and skips of a command, each cell once."""

    def __init__(self, composer: Composer, targets: Targets, folders: Sequence[Path]) -> None:
        """``folders`` are kernel folders beyond attnbench's own."""
        self._targets = targets
        self._folders = {
            path.stem: folder
            for folder in folders
            for path in (folder / "conf" / "kernel").glob("*.yaml")
        }
        self._composer = composer
        self._groups = set(composer.groups())
        self._seen: dict[tuple[str, str, str, str], tuple[Timing, Gpu]] = {}
        self._jobs: list[Job] = []
        self._skips: list[Skip] = []
        self._excluded = 0
        self._emptied: dict[str, int] = {}

    def plan(self, name: str) -> Plan:
        """What was collected. Raises ConfigError where the matrix has no cell left."""
        if not self._jobs and not self._skips:
            rules = "; ".join(f"{{{text}}}: {n}" for text, n in self._emptied.items() if n)
            raise ConfigError(
                f"the matrix is empty: exclude leaves out all of its {self._excluded} cells "
                f"({rules})"
            )
        return Plan(tuple(self._jobs), tuple(self._skips), self._excluded, name)

    def add(self, experiment: Experiment) -> None:
        """Collect the cells of one experiment. Raises ConfigError on one that makes no sense."""
        for matrix in experiment.matrices:
            rules = [Rule(rule, matrix, self._groups) for rule in experiment.exclude]
            self._add(matrix, rules, experiment.name)
            for rule in rules:
                self._emptied[rule.text] = self._emptied.get(rule.text, 0) + rule.left_out

    def _add(self, matrix: Matrix, rules: list[Rule], experiment: str) -> None:
        kernels = Shared(matrix, ("kernel",), lambda c: self._kernel(matrix, c))
        timings = Shared(matrix, ("timing",), lambda c: timing_of(matrix.section("timing", c)))
        targets = Shared(matrix, ("gpu",), lambda c: self._gpus(matrix, c))
        problems = Shared(matrix, ("workload", "dtype", "direction"), lambda c: _problem(matrix, c))
        here = self._targets.here
        for combo in matrix.combos():
            for gpu in targets(combo):
                if rules and self._left_out(rules, combo, gpu):
                    continue
                kernel, timing = kernels(combo), timings(combo)
                if (why := timing.impossible_on(gpu.kind)) is not None:
                    raise ConfigError(f"gpu={gpu.name}: {why}")
                problem, workload = problems(combo)
                identity = (kernel.id, problem.key, gpu.name, timing.mode)
                if identity in self._seen:
                    _same_protocol(self._seen[identity], (timing, gpu), matrix, combo)
                    continue
                self._seen[identity] = (timing, gpu)
                job = Job(kernel, problem, gpu, timing, workload, experiment)
                reason = kernel.refusal(problem, gpu) or timing.refusal(problem.direction)
                reason = reason or (_absent(kernel) if here else None)
                if reason:
                    self._skips.append(Skip(job, reason))
                else:
                    self._jobs.append(job)

    def _left_out(self, rules: list[Rule], combo: Combo, gpu: Gpu) -> bool:
        for rule in rules:
            if rule.holds(combo, gpu):
                rule.left_out += 1
                self._excluded += 1
                return True
        return False

    def _kernel(self, matrix: Matrix, combo: Combo) -> Kernel:
        conf = matrix.section("kernel", combo)
        option = matrix.chosen("kernel")(combo)
        _named_after_its_yaml("kernel", option, conf)
        self._must_declare(option, conf.get("options") or {})
        folder = self._folders.get(option)
        if folder is None or not (folder / str(conf["file"])).exists():
            # a yaml of another folder may give new options to one of attnbench's own files
            if folder is not None and not (kernels_dir() / str(conf["file"])).exists():
                raise ConfigError(f"kernel {option}: there is no {folder / str(conf['file'])}")
            return kernel_of(conf)
        return kernel_of(conf, str(folder))

    def _must_declare(self, kernel: str, options: Mapping[str, Any]) -> None:
        """Refuse an option that the kernel's yaml doesn't have: ``build`` would not look at it,
        and the result would stand under a name that says it had."""
        if not options:
            return
        declared = self._declared(f"kernel/{kernel}")
        for name in options:
            if name not in declared:
                raise ConfigError(
                    f"kernel {kernel} has no option {name!r}. {did_you_mean(name, declared)} "
                    f"(its options stand in conf/kernel/{kernel}.yaml)"
                )

    def _declared(self, path: str) -> set[str]:
        """Option names of a kernel's yaml and of the yamls it builds on."""
        _, parents, conf = self._composer.raw(path)
        names = set(conf.get("options") or {})
        for parent in parents:
            if isinstance(parent, ConfigDefault) and parent.path not in (None, "_self_"):
                names |= self._declared(f"kernel/{parent.path}")
        return names

    def _gpus(self, matrix: Matrix, combo: Combo) -> tuple[Gpu, ...]:
        conf = matrix.section("gpu", combo)
        option = matrix.chosen("gpu")(combo)
        _named_after_its_yaml("gpu", option, conf)
        gpu = gpu_of(conf)
        if gpu.name not in RESOLVED_LATER and gpu.kind not in ("cpu", "cuda", "rocm"):
            raise ConfigError(f"gpu {gpu.name}: kind={gpu.kind!r} is not cpu, cuda or rocm")
        return self._targets.of(gpu)


def _problem(matrix: Matrix, combo: Combo) -> tuple[Problem, str]:
    workload = matrix.section("workload", combo)
    dtype, direction = matrix.section("dtype", combo), matrix.section("direction", combo)
    swept = {axis.key for axis in matrix.axes if len(axis) > 1}
    if "workload.seq_len" in swept and None not in (workload["seq_q"], workload["seq_k"]):
        raise ConfigError(
            f"workload.seq_len has no effect on workload {workload['name']}, which sets seq_q and "
            "seq_k: sweep workload.seq_q or workload.seq_k instead"
        )
    try:
        problem = problem_of(workload, dtype, direction)
        cost_model(problem.operator).validate(problem)
    except InvalidProblem as error:
        where = " ".join(matrix.overrides(combo)) or f"workload={workload['name']}"
        raise ConfigError(f"{error} (in {where})") from None
    return problem, str(workload["name"])


def _named_after_its_yaml(group: str, option: str, conf: Mapping[str, Any]) -> None:
    """The name is the identity under which results are found again."""
    if not option:
        raise ConfigError(f"no {group} is chosen: write {group}=…")
    if conf["name"] != option:
        raise ConfigError(
            f"{group}.name is {conf['name']!r} in conf/{group}/{option}.yaml: "
            f"the name must be that of the yaml, {option!r}"
        )


def _same_protocol(
    first: tuple[Timing, Gpu], second: tuple[Timing, Gpu], matrix: Matrix, combo: Combo
) -> None:
    """Cells of one identity must be measured alike: the store couldn't tell them apart."""
    if first == second:
        return
    differ = [
        f"{name}.{key}: {before} and {after}"
        for name, a, b in (("timing", first[0], second[0]), ("gpu", first[1], second[1]))
        for (key, before), after in zip(a.to_dict().items(), b.to_dict().values(), strict=True)
        if before != after
    ]
    raise ConfigError(
        f"one job can't be measured in two ways in one sweep ({', '.join(differ)}; "
        f"in {' '.join(matrix.overrides(combo))}): run two sweeps"
    )


def _absent(kernel: Kernel) -> str | None:
    """Why a kernel can't be loaded on this machine; imports nothing."""
    if not kernel.lacking:
        return None
    how = f" ({kernel.remedy})" if kernel.remedy else ""
    return f"needs {', '.join(kernel.lacking)}, not installed here{how}"
