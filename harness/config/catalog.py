"""Catalog: what conf/ offers, read as plain yaml in a few milliseconds. No Hydra, no torch.

A yaml that can't be read takes nothing else with it: its error stands in ``Found.errors``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml

from harness.config.nouns import gpu_of, kernel_of, timing_of
from harness.config.paths import conf_dir
from harness.errors import AttnbenchError, ConfigError
from harness.model import Gpu, Kernel, Timing

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
T = TypeVar("T")

RESOLVED_LATER = ("local", "all")
"""Names in conf/gpu that stand for what a machine or cluster has."""


class Found(dict[str, T]):
    """What a group offers, by the name written on the command line, sorted."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: dict[str, str] = {}
        """Why an option can't be read, by its name."""
        self.descriptions: dict[str, str] = {}
        """One line for people, where the yaml has one."""


def kernels(extra_dirs: Iterable[Path] = ()) -> Found[Kernel]:
    """attnbench's kernels, and those of other kernel folders."""
    found = _scan(conf_dir() / "kernel", kernel_of)
    for folder in extra_dirs:
        more = _scan(
            Path(folder) / "conf" / "kernel",
            partial(kernel_of, folder=str(Path(folder).resolve())),
        )
        for name in more.keys() & (found.keys() | found.errors.keys()):
            found.errors[f"{name} ({folder})"] = f"another kernel is called {name}: rename this one"
            del more[name]
        found.update(more)
        found.errors.update(more.errors)
        found.descriptions.update(more.descriptions)
    return found


def gpus() -> Found[Gpu]:
    """Known hardware, the CPU included, without the names that are resolved later."""
    found = _scan(conf_dir() / "gpu", gpu_of)
    for name in RESOLVED_LATER:
        found.pop(name, None)
    return found


def workloads() -> Found[dict[str, Any]]:
    """Shapes, as the keys of their yaml."""
    return _scan(conf_dir() / "workload", dict)


def experiments() -> Found[dict[str, Any]]:
    """Named matrices, as their ``experiment`` section."""
    return _scan(conf_dir() / "experiment", _experiment)


def timings() -> Found[Timing]:
    """Measuring protocols."""
    return _scan(conf_dir() / "timing", timing_of)


def stores() -> Found[dict[str, Any]]:
    """Places for results, as the keys of their yaml."""
    return _scan(conf_dir() / "store", dict)


def clusters() -> Found[dict[str, Any]]:
    """Sets of machines, as the keys of their yaml."""
    return _scan(conf_dir() / "cluster", dict)


def _experiment(conf: Mapping[str, Any]) -> dict[str, Any]:
    return dict(conf.get("experiment") or {})


def _scan(folder: Path, build: Callable[[Mapping[str, Any]], T]) -> Found[T]:
    found: Found[T] = Found()
    for path in sorted(folder.glob("*.yaml")):
        name = path.stem
        try:
            conf = _load(path)
            value = build(conf)
            named = conf.get("name", name)
            if named != name:
                raise ConfigError(f"{path.name} says name: {named}; the two must be the same")
        except (AttnbenchError, yaml.YAMLError, OSError, TypeError, ValueError) as error:
            found.errors[name] = f"{path}: {_one_line(error)}"
            continue
        found[name] = value
        described = conf.get("description") or (conf.get("experiment") or {}).get("description")
        found.descriptions[name] = str(described or "")
    return found


def _load(path: Path, seen: frozenset[Path] = frozenset()) -> dict[str, Any]:
    """One yaml merged over the plain parents in its defaults list, as Hydra would."""
    if path in seen:
        raise ConfigError(f"its defaults list leads back to {path.name}")
    with path.open(encoding="utf-8") as file:
        conf = yaml.load(file, _Loader)
    if not isinstance(conf, dict):
        raise ConfigError("must hold keys and values")
    merged: dict[str, Any] = {}
    for parent in conf.pop("defaults", None) or []:
        if isinstance(parent, str) and parent != "_self_" and "@" not in parent:
            merged = _merge(merged, _load(path.with_name(f"{parent}.yaml"), seen | {path}))
    return _merge(merged, conf)


def _merge(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    out = dict(a)
    for key, value in b.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _merge(out[key], value) if both else value
    return out


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
