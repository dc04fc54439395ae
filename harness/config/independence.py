"""When axes may be composed one at a time and merged: a rule that is sound, not a guess.

An option of a group is *plain* if its yaml writes only inside its own group's package: no
``@package`` header, and no defaults list beyond ``_self_`` and plain options of the same group. If
every option of every group axis is plain, no defaults list anywhere chooses by interpolation, and
no value axis writes where another axis or a later override writes, then what one axis changes
can't depend on another's choice. What is left are interpolations (``${…}``): they read, and the
matrix resolves a section that has one together with what it reads.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hydra.core.default_element import ConfigDefault, InputDefault
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from harness.config.axes import Axis, related
from harness.config.explain import child
from harness.config.loader import Composed, Composer

_NAME = re.compile(r"[\w.-]+")


def entangled(composer: Composer, axes: Sequence[Axis], entries: Sequence[Axis | Override]) -> str:
    """Why these axes can't be composed one at a time; "" where they can."""
    for axis in axes:
        if axis.prefix.startswith("~"):
            return f"{axis.lines[0]} deletes"
        if not axis.is_group:
            continue
        if axis.prefix or any(o.package is not None for o in axis.overrides):
            return f"{axis.lines[0]} changes the list of groups"
        for option in axis.options:
            if not isinstance(option, str):
                return f"{axis.key} is given as a mapping"
            if not plain(composer, axis.key, option):
                return f"{axis.key}={option} writes outside its own group"
    return _overlap(axes, entries)


def _overlap(axes: Sequence[Axis], entries: Sequence[Axis | Override]) -> str:
    for i, a in enumerate(axes):
        for b in axes[i + 1 :]:
            if not related(path(a), path(b)):
                continue
            if a.is_group == b.is_group:
                return f"{a.key} and {b.key} overlap"
            group, value = (a, b) if a.is_group else (b, a)
            if len(path(value)) <= len(path(group)):
                return f"{value.key} overwrites the group {group.key}"
    for position, entry in enumerate(entries):
        if not isinstance(entry, Axis):
            continue
        for later in entries[position + 1 :]:
            if isinstance(later, Axis):
                continue
            same_group = later.key_or_group == entry.key and entry.is_group
            where = tuple(later.key_or_group.split("."))
            if same_group or (not entry.is_group and related(path(entry), where)):
                return f"{later.input_line} comes after the axis {entry.key}"
    return ""


def path(axis: Axis) -> tuple[str, ...]:
    """Where an axis writes in the config."""
    return tuple(axis.key.replace("/", ".").split(".") if axis.is_group else axis.key.split("."))


def plain(composer: Composer, group: str, option: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether an option writes only inside its own group's package."""
    if option in seen:
        return False
    header, defaults, content = composer.raw(f"{group}/{option}")
    if header is not None or not OmegaConf.is_dict(content):
        return False
    for default in defaults:
        if default.is_self():
            continue
        if not isinstance(default, ConfigDefault) or default.package is not None:
            return False
        if not _NAME.fullmatch(default.path or ""):
            return False
        if not plain(composer, group, default.path or "", seen | {option}):
            return False
    return True


def composed_plainly(composer: Composer, composed: Composed, axes: Sequence[Axis]) -> str:
    """Why a composition bears out that axes interact; "" where it doesn't."""
    for axis in (a for a in axes if a.is_group):
        package, folder = axis.key.replace("/", "."), f"{axis.key}/"
        found = [d.package for d in composed.defaults if (d.config_path or "").startswith(folder)]
        if not found or any(where != package for where in found):
            return f"{axis.key} isn't placed at {package}"
    for default in composed.defaults:
        if default.config_path and composer.repo.config_exists(default.config_path):
            _, defaults, _ = composer.raw(default.config_path)
            if any(_by_interpolation(d) for d in defaults):
                return f"{default.config_path} chooses its defaults by interpolation"
    return ""


def through_reference(composed: Composed, entries: Sequence[Axis | Override]) -> str:
    """Which key is set through an interpolation, and so somewhere else; "" where none is."""
    for entry in entries:
        if isinstance(entry, Axis) and entry.is_group:
            continue
        key = entry.key if isinstance(entry, Axis) else entry.key_or_group
        node: Any = composed.cfg
        for part in key.split(".")[:-1]:
            node = child(node, part)
            if node is not None and node._is_interpolation():
                return f"{key} leads through an interpolation"
    return ""


def _by_interpolation(default: InputDefault) -> bool:
    return "${" in f"{getattr(default, 'path', '')}{getattr(default, 'value', '')}"
