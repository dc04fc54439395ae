"""What Hydra itself makes of a command: its basic sweeper's cells, each by its compose API."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from harness.config import schema
from harness.config.loader import Composer

_current: list[Path] = []


def _initialised(conf: Path) -> None:
    """Keep one initialised Hydra: setting it up for each cell would double the cost."""
    if _current != [conf]:
        schema.register()
        GlobalHydra.instance().clear()
        initialize_config_dir(config_dir=str(conf), version_base="1.3")
        _current[:] = [conf]


def cells(conf: Path, command: Sequence[str]) -> list[tuple[str, ...]]:
    """The overrides of each cell, in Hydra's order."""
    loader = Composer(conf).loader
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(command))
    (batch,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    return [tuple(cell) for cell in batch]


@lru_cache(maxsize=4096)
def composed(conf: Path, overrides: tuple[str, ...], config_name: str = "config") -> Any:
    """The resolved config of one cell, or the exception that Hydra raises."""
    try:
        _initialised(conf)
        cfg = compose(config_name=config_name, overrides=list(overrides))
        return OmegaConf.to_container(cfg, resolve=True)
    except Exception as error:  # noqa: BLE001 - Hydra raises anything from IOError to ValueError
        return error
