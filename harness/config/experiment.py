"""From override strings to matrices: experiments with axes, exclude and include.

An experiment (conf/experiment/NAME.yaml, ``# @package _global_``) sets whatever it likes in the
config, and under ``experiment`` declares

    axes:     a mapping of axis → list of values, one value, or a sweep string of Hydra's grammar
              ("range(512,4097,512)", "glob(sdpa_*)"); the matrix is their product
    exclude:  a list of mappings; a cell for which every condition of one of them holds is left out
    include:  a list of mappings of axis → value(s): further small matrices

An axis given on the command line, swept or plain, replaces the experiment's, in ``include`` too.
``exclude`` holds for the cells of ``axes`` and of ``include`` alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from harness.config.axes import Axis, axis_from_yaml, axis_of, check
from harness.config.loader import Composer
from harness.config.matrix import Matrix
from harness.errors import ConfigError

GROUP = "experiment"


@dataclass(frozen=True)
class Experiment:
    """The matrices of one experiment, or of an ad-hoc command."""

    name: str
    """Name of the experiment; "" for an ad-hoc matrix."""
    matrices: tuple[Matrix, ...]
    """The product of the axes first, then one per include."""
    exclude: tuple[Mapping[str, Any], ...]
    """Conditions of the cells that are left out."""


def expand(
    composer: Composer, overrides: Sequence[str], *, multirun: bool = False
) -> tuple[Experiment, ...]:
    """The experiments that a command asks for. Raises ConfigError."""
    parsed = composer.parse(overrides)
    if multirun:  # as Hydra's sweeper: the last of one key counts, in the place of the first
        parsed = list({override.get_key_element(): override for override in parsed}.values())
    for override in parsed:
        check(composer, override, sweeps=multirun)
    given = [axis_of(composer, o) if o.is_sweep_override() else o for o in parsed]
    asked = [e for e in given if _key(e) == GROUP]
    rest = [e for e in given if _key(e) != GROUP]
    if not asked:
        return (_one(composer, None, rest),)
    if any(isinstance(e, Override) and e.is_delete() for e in asked):
        raise ConfigError("experiment can't be deleted: leave it out")
    last = asked[-1]  # of several, the last one holds, as in Hydra
    chosen = last.overrides if isinstance(last, Axis) else (last,)
    return tuple(_one(composer, one, rest) for one in chosen)


def _one(composer: Composer, named: Override | None, rest: list[Override | Axis]) -> Experiment:
    if named is None:
        return Experiment("", (Matrix(composer, rest),), ())
    spec = _declared(composer, named, rest)
    name = str(named.value())
    given = {_key(entry) for entry in rest if not _merges_into_group(composer, entry)}
    axes = _axes(composer, spec.get("axes") or {}, given, name)
    matrices = []
    if axes or not spec.get("include"):
        matrices.append(Matrix(composer, [named, *axes, *rest]))
    for more in spec.get("include") or ():
        if not isinstance(more, Mapping):
            raise ConfigError(f"experiment {name}: include must list mappings, not {more!r}")
        extra = _axes(composer, more, given, name)
        matrices.append(Matrix(composer, [named, *extra, *rest]))
    exclude = spec.get("exclude") or []
    for rule in exclude:
        if not isinstance(rule, Mapping) or not rule:
            raise ConfigError(f"experiment {name}: exclude must list mappings, not {rule!r}")
    return Experiment(name, tuple(matrices), tuple(exclude))


def _declared(
    composer: Composer, named: Override, rest: Sequence[Override | Axis]
) -> dict[str, Any]:
    """The experiment's own section, with what the command line changes in it."""
    own = [e for e in rest if isinstance(e, Override) and _key(e).startswith(f"{GROUP}.")]
    composed = composer.compose([named, *own])
    spec = OmegaConf.to_container(composed.cfg[GROUP], resolve=True)
    return {str(k): v for k, v in spec.items()} if isinstance(spec, dict) else {}


def _axes(
    composer: Composer, declared: Mapping[str, Any], given: set[str], name: str
) -> list[Axis]:
    axes = []
    for key, spec in declared.items():
        try:
            axis = axis_from_yaml(composer, str(key), spec)
        except ConfigError as error:
            raise ConfigError(f"experiment {name}: {error}") from None
        if axis.key == GROUP:
            raise ConfigError(f"experiment {name}: experiment can't be an axis of an experiment")
        if axis.key not in given:
            axes.append(axis)
    return axes


def _merges_into_group(composer: Composer, entry: Override | Axis) -> bool:
    """``workload={batch: 2}`` changes whatever workload is chosen; it chooses none."""
    return (
        isinstance(entry, Override)
        and isinstance(entry.value(), dict)
        and composer.is_group(entry.key_or_group)
    )


def _key(entry: Override | Axis) -> str:
    return entry.key if isinstance(entry, Axis) else entry.key_or_group
