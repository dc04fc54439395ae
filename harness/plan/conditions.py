"""Conditions of an experiment's ``exclude``: which cells it leaves out.

    - gpu.kind: cpu                  all conditions of one mapping must hold
      workload.seq_len: ">2048"      a comparison with a number: > >= < <= == !=
    - kernel: [numpy, "sdpa_*"]      a group matches the option's name; any of a list; globs
      dtype: "!=fp32"

A key is a group, a root value or any dotted key of the cell. ``gpu`` and ``gpu.…`` mean the GPU
that the cell would run on, after ``local`` and ``all`` are resolved.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.config.matrix import ABSENT, Combo, Matrix
from harness.errors import ConfigError, did_you_mean
from harness.model import Gpu

_COMPARISON = re.compile(r"(>=|<=|!=|==|>|<)\s*(\S.*)")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
Test = Callable[[Any], bool]
GPU = "gpu"


class Rule:
    """One mapping of an ``exclude`` list, made ready for the cells of one matrix."""

    def __init__(self, rule: Mapping[str, Any], matrix: Matrix, groups: set[str]) -> None:
        """Raises ConfigError on a key that no cell has, or a condition that can't be read."""
        self.text = ", ".join(f"{key}: {value}" for key, value in rule.items())
        self.left_out = 0
        self._cells: list[Callable[[Combo], bool]] = []
        self._gpus: list[Callable[[Gpu], bool]] = []
        for key, wanted in rule.items():
            test = _test(wanted, f"exclude {key}: {wanted}")
            section, *path = str(key).split(".")
            if section == GPU:
                self._gpus.append(_gpu_condition(path, test, self.text))
            elif not path and section in groups:
                chosen = matrix.chosen(section)
                self._cells.append(_memoised(chosen, test))
            else:
                self._cells.append(_value_condition(matrix, section, path, test, str(key)))

    def holds(self, combo: Combo, gpu: Gpu) -> bool:
        """Whether the cell, on this GPU, is left out."""
        for cell in self._cells:
            if not cell(combo):
                return False
        return all(condition(gpu) for condition in self._gpus)


def _memoised(pick: Callable[[Combo], str], test: Test) -> Callable[[Combo], bool]:
    known: dict[str, bool] = {}

    def holds(combo: Combo) -> bool:
        value = pick(combo)
        if value not in known:
            known[value] = test(value)
        return known[value]

    return holds


def _value_condition(
    matrix: Matrix, section: str, path: list[str], test: Test, key: str
) -> Callable[[Combo], bool]:
    if all(_at(matrix.section(section, c), path) is ABSENT for c in matrix.versions(section)):
        raise _no_such_key(matrix, section, path, key)
    axes = matrix.depends(section)
    known: dict[Combo, bool] = {}

    def holds(combo: Combo) -> bool:
        place = tuple([combo[i] for i in axes])
        answer = known.get(place)
        if answer is None:
            value = _at(matrix.section(section, combo), path)
            answer = known[place] = value is not ABSENT and test(value)
        return answer

    return holds


def _gpu_condition(path: list[str], test: Test, text: str) -> Callable[[Gpu], bool]:
    if not path:
        return lambda gpu: test(gpu.name)
    known = Gpu("").to_dict()
    if path[0] not in known:
        key = ".".join(path)
        raise ConfigError(f"exclude {text}: a gpu has no {key!r}. {did_you_mean(key, known)}")

    def holds(gpu: Gpu) -> bool:
        value = _at(gpu.to_dict(), path)
        return value is not ABSENT and test(value)

    return holds


def _at(value: Any, path: list[str]) -> Any:
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return ABSENT
        value = value[key]
    return value


def _no_such_key(matrix: Matrix, section: str, path: list[str], key: str) -> ConfigError:
    combo = next(matrix.combos())
    known = [str(name) for name in matrix.names(combo)]
    holder = matrix.section(section, combo) if section in known else None
    if isinstance(holder, Mapping) and path:
        known = [f"{section}.{name}" for name in holder]
    return ConfigError(f"exclude {key}: no cell has such a key. {did_you_mean(key, known)}")


def _test(wanted: Any, where: str) -> Test:
    if isinstance(wanted, list):
        tests = [_test(one, where) for one in wanted]
        return lambda value: any(test(value) for test in tests)
    if isinstance(wanted, Mapping):
        raise ConfigError(f"{where}: a condition is a value, a list or a comparison")
    match = _COMPARISON.fullmatch(wanted.strip()) if isinstance(wanted, str) else None
    if match is None:
        return lambda value: _same(value, wanted)
    sign, text = match[1], match[2].strip()
    if sign in ("==", "!="):
        target = _value(text)
        if sign == "==":
            return lambda value: _same(value, target)
        return lambda value: not _same(value, target)
    bound = _number(text)
    if bound is None:
        raise ConfigError(f"{where}: {sign} compares with a number, not {text!r}")
    compare = _ORDER[sign]

    def test(value: Any) -> bool:
        if value is None:
            return False
        number = _number(value)
        if number is None:
            raise ConfigError(f"{where}: {value!r} is not a number")
        return compare(number, bound)

    return test


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return fnmatch.fnmatchcase(value, wanted)
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _value(text: str) -> Any:
    """The value that a word stands for after ``==`` or ``!=``."""
    words: dict[str, Any] = {"null": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    number = _number(text)
    if number is None:
        return text
    return int(number) if number.is_integer() else number
