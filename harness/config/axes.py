"""Axis: one override that takes several values, as Hydra's sweep grammar spells them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType, Quote, QuotedString, ValueType
from hydra.errors import HydraException

from harness.config import explain
from harness.config.loader import Composer
from harness.errors import ConfigError

_PLAIN_WORD = re.compile(r"[A-Za-z_][\w./-]*")
_NOT_TEXT = {"null", "true", "false", "nan", "inf"}
MAX_VALUES = 1_000_000
"""No axis is longer: a typing error such as a missing step must not fill the memory."""


@dataclass(frozen=True)
class Axis:
    """The overrides of one key, one of which holds in each cell."""

    key: str
    """Group or dotted key, without ``+``, ``~`` or package."""
    prefix: str
    """``+``, ``++``, ``~`` or nothing."""
    is_group: bool
    """Its values are options of a group."""
    overrides: tuple[Override, ...]
    """One per value, as Hydra would be given it for a cell."""

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The overrides as typed."""
        return tuple(o.input_line or "" for o in self.overrides)

    @property
    def options(self) -> tuple[Any, ...]:
        """The values themselves."""
        return tuple(o.value() for o in self.overrides)

    def __len__(self) -> int:
        return len(self.overrides)


def check(composer: Composer, override: Override, *, sweeps: bool) -> None:
    """Refuse what can never be composed. Raises ConfigError."""
    key = override.key_or_group
    if not key:
        raise ConfigError(f"can't read the override {override.input_line!r}: it names no key")
    if override.is_hydra_override() or key == "hydra":
        raise ConfigError(
            f"{override.input_line}: attnbench uses Hydra's grammar and composition only; "
            "hydra.* settings have no effect here"
        )
    if override.is_sweep_override():
        if not sweeps:
            raise explain.sweep_without_multirun(override)
        if not override.is_discrete_sweep():
            raise ConfigError(
                f"{override.input_line}: an interval has no countable values; "
                "use range(start,stop,step) or a list"
            )
        return
    if not composer.is_group(key):
        if "/" in key:
            raise explain.unknown_option("group", key, composer.groups())
        return
    _check_option(composer, override)


def _check_option(composer: Composer, override: Override) -> None:
    key, value = override.key_or_group, override.value()
    if isinstance(value, dict) or override.is_delete():
        return
    if isinstance(value, list):
        raise explain.list_for_group(override)
    known = composer.options(key)
    if value is None or str(value) not in known:
        shown = "null" if value is None else str(value)
        raise explain.unknown_option(key, shown, known)
    if not isinstance(value, str):  # an option named 40 is a number to the grammar
        raise ConfigError(f"quote the option: {key}=\\'{value}\\'")


def axis_of(composer: Composer, override: Override) -> Axis:
    """The axis that a sweep override spells. Raises ConfigError where it has no values."""
    prefix = override.get_key_element()
    prefix = prefix[: len(prefix) - len(prefix.lstrip("+~"))]
    try:
        single = [override] if not override.is_sweep_override() else _values(composer, override)
    except (HydraException, ValueError) as error:
        raise ConfigError(f"can't enumerate {override.input_line}: {error}") from None
    if not single:
        what = "matches nothing" if override.value_type == ValueType.GLOB_CHOICE_SWEEP else ""
        known = composer.options(override.key_or_group) if what else ()
        hint = f". There are: {', '.join(known)}" if known else ""
        raise ConfigError(f"{override.input_line} {what or 'has no values'}{hint}")
    is_group = composer.is_group(override.key_or_group)
    for one in single:
        check(composer, one, sweeps=False)
    return Axis(override.key_or_group, prefix, is_group, tuple(single))


def _values(composer: Composer, sweep: Override) -> list[Override]:
    """Each value as Hydra's own sweeper hands it on: turned into text and parsed again."""
    key = sweep.get_key_element()
    texts: list[str] = []
    numbers: list[Override] = []
    for raw in sweep.sweep_iterator():
        if len(numbers) + len(texts) >= MAX_VALUES:
            raise ConfigError(f"{sweep.input_line} has more than {MAX_VALUES:,} values")
        line = f"{key}={Override._get_value_element_as_str(raw)}"
        # The text of a number parses to the same number: the 0.3 ms of the parser are saved.
        if type(raw) in (int, bool) or (type(raw) is float and math.isfinite(raw)):
            numbers.append(_plain(sweep, raw, line))
        else:
            texts.append(line)
    if texts and numbers:  # mixed: keep the order, parse all
        texts = [f"{key}={text}" for text in sweep.sweep_string_iterator()]
        numbers = []
    return numbers or composer.parse(texts)


def _plain(sweep: Override, value: Any, line: str) -> Override:
    return Override(
        type=sweep.type,
        key_or_group=sweep.key_or_group,
        value_type=ValueType.ELEMENT,
        _value=value,
        package=sweep.package,
        input_line=line,
        config_loader=sweep.config_loader,
    )


def axis_from_yaml(composer: Composer, key: str, spec: Any) -> Axis:
    """An axis of an experiment: a list of values, one value, or a string in sweep grammar."""
    if isinstance(spec, list):
        if not spec:
            raise ConfigError(f"the experiment's axis {key} has no values")
        lines = [f"{key}={_as_text(value)}" for value in spec]
        parsed = composer.parse(lines)
        for one in parsed:
            if one.is_sweep_override():
                raise ConfigError(f"the experiment's axis {key} nests a sweep: {one.input_line}")
            check(composer, one, sweeps=False)
        first = parsed[0]
        prefix = key[: len(key) - len(key.lstrip("+~"))]
        name = first.key_or_group
        return Axis(name, prefix, composer.is_group(name), tuple(parsed))
    text = spec if isinstance(spec, str) else _as_text(spec)
    (override,) = composer.parse([f"{key}={text}"])
    check(composer, override, sweeps=True)
    return axis_of(composer, override)


def _as_text(value: Any) -> str:
    """A yaml value in Hydra's grammar, quoted where the bare word would read as something else."""
    if isinstance(value, str) and not (
        _PLAIN_WORD.fullmatch(value) and value.lower() not in _NOT_TEXT
    ):
        value = QuotedString(text=value, quote=Quote.single)
    return Override._get_value_element_as_str(value)


def scalar(override: Override) -> bool:
    """Whether it sets one existing key to one plain value, whatever was there before."""
    value = override.value()
    return (
        override.type == OverrideType.CHANGE
        and not isinstance(value, (dict, list))
        and not (isinstance(value, str) and "${" in value)
    )


def related(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether one path is the other or lies inside it."""
    n = min(len(a), len(b))
    return tuple(a[:n]) == tuple(b[:n])
