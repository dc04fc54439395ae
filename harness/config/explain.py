"""What went wrong with an override, in one or two lines that say what to type instead.

Hydra's and OmegaConf's own texts speak of nodes, defaults lists and grammar tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import (
    BooleanNode,
    DictConfig,
    FloatNode,
    IntegerNode,
    ListConfig,
    Node,
    StringNode,
)
from omegaconf.errors import ValidationError

from harness.errors import ConfigError, did_you_mean

_EXPECTED: tuple[tuple[type[Node], str], ...] = (
    (BooleanNode, "true or false"),
    (IntegerNode, "a whole number"),
    (FloatNode, "a number"),
    (StringNode, "a text"),
    (DictConfig, "a mapping such as {key: value}"),
    (ListConfig, "a list such as [a, b]"),
)


def unreadable(text: str, error: Exception) -> ConfigError:
    """An override that Hydra's grammar refuses."""
    if "=" not in text and not text.startswith("~"):
        return ConfigError(f"can't read the override {text!r}: it has no '=' (write key=value)")
    detail = _first_line(str(error).replace(f"Error parsing override '{text}'", ""))
    return ConfigError(
        f"can't read the override {text!r}: {detail}\n"
        "Quote values with spaces or special characters, e.g. 'key=\"a b\"'."
    )


def sweep_without_multirun(override: Override) -> ConfigError:
    """A list of values, where one is expected."""
    return ConfigError(
        f"{override.input_line} names several values: add -m to run every one of them"
    )


def list_for_group(override: Override) -> ConfigError:
    """``kernel=[a,b]``: Hydra would merge the options into one config."""
    items = ",".join(map(str, override.value()))  # type: ignore[arg-type]
    group = override.key_or_group
    return ConfigError(
        f"{group} takes one option, not a list: to run every one of them, write -m {group}={items}"
    )


def unknown_option(group: str, option: object, known: Iterable[str]) -> ConfigError:
    """``kernel=eagr``."""
    return ConfigError(f"there is no {group} {str(option)!r}. {did_you_mean(str(option), known)}")


def unknown_key(key: str, cfg: Any) -> ConfigError:
    """``workload.seqlen``: name the first part that isn't there, and what is."""
    node, parts = cfg, key.split(".")
    there: list[str] = []
    for part in parts:
        inner = child(node, part)
        if inner is None:
            break
        there.append(part)
        node = inner
    prefix = "".join(f"{part}." for part in there)
    if not isinstance(node, DictConfig):
        return ConfigError(f"there is no key {key!r}: {prefix[:-1]} is one value, not a mapping")
    known = [] if node._is_none() or node._is_missing() else [f"{prefix}{k!s}" for k in node]
    told = f"there is no key {key!r}." if there else f"there is no group or key {key!r}."
    if there and node._metadata.object_type in (dict, None):  # keys of one's own are welcome there
        told += f" To add it, write +{key}=…"
        return ConfigError(f"{told} {did_you_mean(key, known)}" if known else told)
    return ConfigError(f"{told} {did_you_mean(prefix + parts[len(there)], known)}")


def unresolved(key: str, error: Exception) -> ConfigError:
    """An interpolation that leads nowhere."""
    missing = re.search(r"Environment variable '(\w+)' not found", str(error))
    if missing:
        return ConfigError(
            f"{key} needs the environment variable {missing[1]}; set it, or write {key}=…"
        )
    return ConfigError(f"can't resolve {key}: {_first_line(str(error))}")


def not_applicable(override: Override, cfg: DictConfig, error: Exception) -> ConfigError:
    """A value override that the composed config refuses."""
    key = override.key_or_group
    found, node = _find(cfg, key)
    if not found and not (override.is_add() or override.is_force_add()):
        return unknown_key(key, cfg)
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ValidationError):
        cause = cause.__cause__
    if cause is not None and node is not None and not isinstance(override.value(), dict):
        return ConfigError(f"{key}={_shown(override)} must be {expected(node)}")
    if override.is_add() and found:
        return ConfigError(
            f"{key} is there already: write {key}={_shown(override)} without the + to set it"
        )
    return ConfigError(f"can't apply {override.input_line}: {_first_line(str(cause or error))}")


def not_composed(overrides: Sequence[Override], error: Exception) -> ConfigError:
    """The configs themselves don't compose."""
    text = str(error)
    if not text and error.__cause__ is not None:
        text = str(error.__cause__)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = " ".join(lines[:2]) if lines else type(error).__name__
    given = " ".join(o.input_line or "" for o in overrides)
    return ConfigError(f"can't compose the configs{f' for {given}' if given else ''}: {told}")


def expected(node: Node) -> str:
    """What a key holds, in words."""
    words = next((text for kind, text in _EXPECTED if isinstance(node, kind)), "another value")
    return f"{words}, or null" if node._is_optional() else words


def child(node: Any, key: str) -> Node | None:
    """A key's node, or None; unlike ``key in node`` it finds keys that aren't set (???) too."""
    if not isinstance(node, DictConfig) or node._is_none() or node._is_missing():
        return None
    if node._is_interpolation():
        return None
    inner = node._get_node(key, validate_access=False)
    return inner if isinstance(inner, Node) else None


def _find(cfg: DictConfig, key: str) -> tuple[bool, Node | None]:
    node: Any = cfg
    for part in key.split("."):
        node = child(node, part)
    return node is not None, node


def _shown(override: Override) -> str:
    value = override.value()
    return "null" if value is None else str(value)


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"
