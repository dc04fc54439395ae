"""What Hydra itself makes of a command: its basic sweeper's cells, each by its compose API."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from harness.config import schema


@contextlib.contextmanager
def hydra(conf: Path) -> Iterator[None]:
    schema.register()
    with initialize_config_dir(config_dir=str(conf), version_base="1.3"):
        yield


def cells(conf: Path, command: Sequence[str]) -> list[tuple[str, ...]]:
    """The overrides of each cell, in Hydra's order."""
    from harness.config.loader import Composer

    loader = Composer(conf).loader
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(command))
    (batch,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    return [tuple(cell) for cell in batch]


@lru_cache(maxsize=4096)
def composed(conf: Path, overrides: tuple[str, ...], config_name: str = "config") -> Any:
    """The resolved config of one cell, or the exception that Hydra raises."""
    try:
        with hydra(conf):
            cfg = compose(config_name=config_name, overrides=list(overrides))
        return OmegaConf.to_container(cfg, resolve=True)
    except Exception as error:  # noqa: BLE001 - Hydra raises anything from IOError to ValueError
        return error
