"""What an axis sets in a composed config, read back as plain values that can be merged again."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import (
    BooleanNode,
    DictConfig,
    FloatNode,
    IntegerNode,
    ListConfig,
    Node,
    OmegaConf,
    StringNode,
    ValueNode,
)
from omegaconf.errors import OmegaConfBaseException

from harness.config import explain
from harness.config.axes import Axis, scalar
from harness.config.loader import apply
from harness.config.reading import constant
from harness.errors import ConfigError

Path = tuple[str, ...]
_ITSELF: dict[type[Node], type] = {
    IntegerNode: int,
    BooleanNode: bool,
    FloatNode: float,
    StringNode: str,
}
"""Kinds of node that keep a value of that exact type as it is."""


@dataclass(frozen=True)
class Patch:
    """What each value of an axis sets."""

    where: Path
    """The path that it sets."""
    owner: int | None
    """Index of the group axis whose package it lies in, if any: the values can differ with it."""
    values: tuple[tuple[Any, ...], ...]
    """By the owner's option (one row without an owner), then by the axis's value."""


def node_at(cfg: DictConfig, where: Path) -> Node | None:
    """The node at a path, or None."""
    node: Any = cfg
    for key in where:
        node = explain.child(node, key)
    return node if isinstance(node, Node) else None


def read(cfg: DictConfig, where: Path) -> Any:
    """The plain value at a path, interpolations left as text, save those of the environment."""
    node = node_at(cfg, where)
    if node is None:
        raise ConfigError(f"there is no {'.'.join(where)} in the composed config")
    return _plain(node)


def _plain(node: Any) -> Any:
    if isinstance(node, (DictConfig, ListConfig)):
        if node._is_none():
            return None
        if node._is_missing() or node._is_interpolation():
            return str(node._value())
        if isinstance(node, ListConfig):
            return [_plain(node._get_node(i)) for i in range(len(node))]
        return {key: _plain(node._get_node(key)) for key in node}
    value = node._value()
    if isinstance(value, str) and "${" in value and constant(value):
        try:
            return node._dereference_node()._value()
        except OmegaConfBaseException as error:
            raise explain.unresolved(node._get_full_key(None), error) from None
    return value


def values_of(stem: DictConfig, axis: Axis, where: Path) -> tuple[Any, ...]:
    """What a value axis sets, each value checked against the schema. Raises ConfigError."""
    node = node_at(stem, where)
    given = [override.value() for override in axis.overrides]
    if node is not None and all(scalar(o) for o in axis.overrides):
        kept = _ITSELF.get(type(node))
        if kept is not None and all(type(value) is kept for value in given):
            return tuple(given)
        if isinstance(node, ValueNode):
            scratch = copy.deepcopy(stem)  # each value replaces the one before
            return tuple(_applied(scratch, override, where) for override in axis.overrides)
    return tuple(_applied(copy.deepcopy(stem), override, where) for override in axis.overrides)


def _applied(cfg: DictConfig, override: Override, where: Path) -> Any:
    apply(override, cfg)
    return read(cfg, where)


def resolved(cfg: DictConfig, name: str) -> Any:
    """A top-level value with its interpolations resolved. Raises ConfigError."""
    try:
        node = cfg._get_node(name)
        if isinstance(node, (DictConfig, ListConfig)) and not node._is_interpolation():
            return OmegaConf.to_container(node, resolve=True)
        if OmegaConf.is_missing(cfg, name):
            return "???"
        value = cfg[name]
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    except OmegaConfBaseException as error:
        raise explain.unresolved(name, error) from None


def write(root: dict[str, Any], where: Sequence[str], value: Any) -> None:
    """Set a path in nested dicts; what stands in its way and isn't a dict is replaced."""
    for key in where[:-1]:
        inner = root.get(key)
        if not isinstance(inner, dict):
            inner = root[key] = {}
        root = inner
    root[where[-1]] = value


def copied(value: Any) -> Any:
    """A copy of plain values, several times faster than ``copy.deepcopy``."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value
