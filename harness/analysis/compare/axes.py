"""Axes: what ``--by`` may compare, and how a value of one is found among what is stored.

    kernel  gpu  board  dtype  direction  commit  source  library_version
    env.torch  env.driver  env.python …  env.LIBRARY (transformers, triton …)

An operator isn't among them, nor a mode: times of different computations, and of different ways to
time, are different quantities.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from harness.errors import ConfigError, did_you_mean
from harness.store import schema

_R = schema.result.c
LEAST_PREFIX = 4
"""Characters of a commit or a hash that may stand for it."""
REFUSED = {
    "operator": "different operators compute different things: their times don't compare",
    "mode": "cold, hot, graph and host times are different quantities (a warm cache, a launch "
    "cost left out): compare within one mode",
    "problem": "different problems are different work: `results` lists them, `--metric tflops` "
    "ranks kernels on each",
}
ENVIRONMENT = [c.name for c in schema.environment.columns if c.name not in ("id", "key")]
_REVISION = {"commit": "commit", "source": "source_hash", "library_version": "library_version"}
_PROBLEM = ("dtype", "direction")
NAMES = (
    *("kernel", "gpu", "board", *_PROBLEM, *_REVISION),
    *(f"env.{name}" for name in ENVIRONMENT if name != "libraries"),
)


@dataclass(frozen=True)
class Chosen:
    """A value of an axis, found."""

    names: tuple[str, ...]
    """What is stored and was meant."""
    where: ColumnElement[bool]
    """The condition on a result."""


def choose(connection: Connection, axis: str, value: str) -> Chosen:
    """The results of one value of an axis: an exact value, a glob, or the beginning of a version.

    Raises:
        ConfigError: no such axis or value (close ones are named), or an axis that doesn't compare.
    """
    if axis in REFUSED:
        raise ConfigError(f"--by {axis}: {REFUSED[axis]}")
    if axis == "kernel":
        return _of_table(connection, axis, value, schema.kernel, "name", _kernels)
    if axis == "gpu":
        return _gpu(connection, value)
    if axis == "board":
        return _of_table(connection, axis, value, schema.device, "uuid", _R.device_id.in_)
    if axis in _PROBLEM:
        return _problems(connection, axis, value)
    if axis in _REVISION:
        column = _REVISION[axis]
        return _of_table(connection, axis, value, schema.revision, column, _R.revision_id.in_)
    if axis.startswith("env."):
        return _environment(connection, axis, value)
    raise ConfigError(f"--by {axis}: no such axis. {did_you_mean(axis, NAMES)}")


def matching(axis: str, value: str, known: Iterable[str]) -> list[str]:
    """The known names that ``value`` means. Raises ConfigError, naming close ones, for none."""
    names = sorted(set(known) - {""})
    rules: tuple[Callable[[str], bool], ...] = (
        lambda name: name == value,
        lambda name: fnmatch.fnmatchcase(name, value),
        # 2.13 is 2.13.0 and not 2.130
        lambda name: name.startswith(value) and not name[len(value)].isalnum(),
        lambda name: (
            axis in ("commit", "source", "board", "env.harness_commit")
            and len(value) >= LEAST_PREFIX
            and name.startswith(value)
        ),
    )
    for rule in rules:
        if found := [name for name in names if rule(name)]:
            return found
    raise ConfigError(f"no result has {axis} {value!r}. {did_you_mean(value, names)}")


def _of_table(
    connection: Connection,
    axis: str,
    value: str,
    table: Any,
    column: str,
    condition: Callable[[list[int]], ColumnElement[bool]],
) -> Chosen:
    rows = connection.execute(select(table.c.id, table.c[column])).all()
    names = matching(axis, value, (name for _, name in rows))
    return Chosen(tuple(names), condition([id_ for id_, name in rows if name in set(names)]))


def _kernels(ids: list[int]) -> ColumnElement[bool]:
    return _R.job_id.in_(select(schema.job.c.id).where(schema.job.c.kernel_id.in_(ids)))


def _gpu(connection: Connection, value: str) -> Chosen:
    """A GPU by the name it was asked for, or by what the device calls itself."""
    job, hardware, device = schema.job.c, schema.hardware.c, schema.device.c
    asked = set(connection.scalars(select(job.gpu).distinct()))
    models = set(connection.scalars(select(hardware.model).distinct()))
    names = matching("gpu", value, asked | models)
    of_model = select(device.id).join(schema.hardware).where(hardware.model.in_(names))
    wanted = select(job.id).where(job.gpu.in_(names))
    return Chosen(tuple(names), or_(_R.job_id.in_(wanted), _R.device_id.in_(of_model)))


def _problems(connection: Connection, axis: str, value: str) -> Chosen:
    column = schema.problem.c[axis]
    names = matching(axis, value, connection.scalars(select(column).distinct()))
    jobs = select(schema.job.c.id).join(schema.problem).where(column.in_(names))
    return Chosen(tuple(names), _R.job_id.in_(jobs))


def _environment(connection: Connection, axis: str, value: str) -> Chosen:
    name = axis.removeprefix("env.")
    if name in ENVIRONMENT and name != "libraries":
        condition = _R.environment_id.in_
        return _of_table(connection, axis, value, schema.environment, name, condition)
    table = schema.environment.c
    rows = [
        (id_, json.loads(text))
        for id_, text in connection.execute(select(table.id, table.libraries))
    ]
    libraries = {library for _, versions in rows for library in versions}
    if name not in libraries:
        known = [*NAMES, *(f"env.{library}" for library in libraries)]
        raise ConfigError(f"--by {axis}: no such axis. {did_you_mean(axis, known)}")
    names = matching(axis, value, (versions.get(name, "") for _, versions in rows))
    ids = [id_ for id_, versions in rows if versions.get(name) in names]
    return Chosen(tuple(names), _R.environment_id.in_(ids))
