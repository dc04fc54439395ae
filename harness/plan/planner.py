"""build_plan: from override strings to a plan and the settings that it runs with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import OmegaConf

from harness.config.experiment import Experiment, expand
from harness.config.loader import Composer
from harness.config.paths import conf_dir
from harness.errors import ConfigError
from harness.plan.collect import Collector
from harness.plan.planned import ClusterSettings, Planned, StoreSettings
from harness.plan.targets import ELSEWHERE, ClusterGpus, Targets

T = TypeVar("T")


def build_plan(
    overrides: Sequence[str],
    *,
    multirun: bool = False,
    kernel_dirs: Iterable[Path | str] = (),
    cluster_gpus: ClusterGpus | None = None,
    conf: Path | None = None,
) -> Planned:
    """Plan what the overrides ask for. Raises ConfigError, DispatchError (no such GPU).

    ``kernel_dirs`` are folders of kernels beyond attnbench's own. ``cluster_gpus`` is called only
    where the cluster has an address; nothing else contacts Ray. ``conf`` replaces attnbench's own
    configs (tests).
    """
    folders = [Path(folder).resolve() for folder in kernel_dirs]
    composer = Composer(conf or conf_dir(), plugin_confs(folders, conf or conf_dir()))
    experiments = expand(composer, overrides, multirun=multirun)
    cluster = _constant(experiments, "cluster", _cluster_of)
    store = _constant(experiments, "store", _store_of)
    work = Collector(composer, Targets(cluster, cluster_gpus), folders)
    for experiment in experiments:
        work.add(experiment)
    return Planned(
        plan=work.plan(",".join(e.name for e in experiments)),
        store=store,
        cluster=cluster,
        config_yaml=composed_yaml(experiments),
        overrides=tuple(overrides),
        kernel_dirs=tuple(map(str, folders)),
    )


def settings_of(
    overrides: Sequence[str], *, multirun: bool = False, conf: Path | None = None
) -> tuple[StoreSettings, ClusterSettings]:
    """Where a command would store and measure; nothing is planned and nobody contacted."""
    experiments = expand(Composer(conf or conf_dir(), []), overrides, multirun=multirun)
    return _constant(experiments, "store", _store_of), _constant(
        experiments, "cluster", _cluster_of
    )


def plugin_confs(folders: Sequence[Path], conf: Path) -> list[Path]:
    """The conf folders of kernel folders. Raises ConfigError where names collide."""
    owner = {path.stem: str(conf) for path in (conf / "kernel").glob("*.yaml")}
    for folder in folders:
        if not (folder / "conf" / "kernel").is_dir():
            raise ConfigError(f"{folder} is no kernel folder: it has no conf/kernel/*.yaml")
        for path in sorted((folder / "conf" / "kernel").glob("*.yaml")):
            if path.stem in owner:
                raise ConfigError(
                    f"two kernels are called {path.stem}: {path} and one of {owner[path.stem]}; "
                    "rename yours"
                )
            owner[path.stem] = str(folder)
    return [folder / "conf" for folder in folders]


def composed_yaml(experiments: Sequence[Experiment]) -> str:
    """The config of the first cell, as ``--cfg job`` shows it."""
    matrix = experiments[0].matrices[0]
    return OmegaConf.to_yaml(matrix.composed(next(matrix.combos())).cfg)


def _store_of(conf: Any) -> StoreSettings:
    return StoreSettings(str(conf["name"]), str(conf["url"]))


def _cluster_of(conf: Any) -> ClusterSettings:
    known = {k: v for k, v in conf.items() if k in ClusterSettings.__dataclass_fields__}
    if known.get("dispatcher") not in ("ray", "inline", ELSEWHERE):
        given = known.get("dispatcher")
        raise ConfigError(f"cluster.dispatcher={given!r} is not ray, inline or {ELSEWHERE}")
    for name in ("retries", "crash_retries", "set_aside_after", "wait_s"):
        if known[name] < 0:
            raise ConfigError(f"cluster.{name}={known[name]} can't be negative")
    if known["dispatcher"] == "inline" and known.get("address"):
        raise ConfigError("cluster.address has no effect with the inline dispatcher: leave it out")
    return ClusterSettings(**known)


def _constant(experiments: Sequence[Experiment], name: str, build: Callable[[Any], T]) -> T:
    """A section that must be the same in every cell: one sweep has one store and one cluster."""
    found: T | None = None
    for experiment in experiments:
        for matrix in experiment.matrices:
            for combo in matrix.versions(name):
                value = build(matrix.section(name, combo))
                if found is not None and value != found:
                    raise ConfigError(f"{name} can't be swept: one sweep has one {name}")
                found = value
    assert found is not None
    return found
