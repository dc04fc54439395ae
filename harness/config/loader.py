"""Composer: Hydra's own composition, without Hydra's job configuration and its global state.

``hydra.compose`` spends three quarters of its time on Hydra's own groups (logging, sweeper, help),
which nothing here reads, and re-reads every yaml. This goes through the same steps of
``ConfigLoaderImpl._load_configuration_impl`` (hydra-core 1.3) with the yaml files cached. A test
holds that it gives what ``hydra.compose`` gives.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.default_element import InputDefault, ResultDefault
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.config import explain, schema
from harness.errors import ConfigError

version.setbase("1.3")


@dataclass(frozen=True)
class Composed:
    """One composed config, and how it came to be."""

    cfg: DictConfig
    """Typed, unresolved."""
    defaults: tuple[ResultDefault, ...]
    """The configs it was merged from, in order."""
    choices: dict[str, str | None]
    """The option chosen in each group."""


class _Loader(ConfigLoaderImpl):
    """Hands out copies: merging works in place, and would change the cached files."""

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        return super()._load_single_config(default, cast(IConfigRepository, _Copies(repo)))


class _Copies:
    """A repository whose configs may be changed by whoever asked for them."""

    def __init__(self, repo: IConfigRepository) -> None:
        self._repo = repo

    def load_config(self, config_path: str) -> ConfigResult | None:
        result = self._repo.load_config(config_path)
        if result is not None:
            result = copy.copy(result)
            result.config = copy.deepcopy(result.config)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repo, name)


class Composer:
    """Composes configs from one conf folder, and from the conf folders of kernel plug-ins."""

    def __init__(
        self, conf: Path, plugins: Sequence[Path] = (), config_name: str = "config"
    ) -> None:
        """``plugins`` hold ``kernel/*.yaml``; where names collide, ``conf`` would win."""
        schema.register()
        Plugins.instance()
        path = ConfigSearchPathImpl()
        path.append("main", f"file://{conf}")
        for folder in plugins:
            path.append("plugin", f"file://{folder}")
        path.append("schema", "structured://")
        self.config_name = config_name
        self.loader = _Loader(path)
        self.repo = CachingConfigRepository(self.loader.repository)
        self._parser = OverridesParser.create(config_loader=self.loader)
        self._options: dict[str, list[str]] = {}

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """Read overrides by Hydra's grammar. Raises ConfigError on one that can't be read."""
        parsed = []
        for text in overrides:
            try:
                parsed += self._parser.parse_overrides([text])
            except HydraException as error:
                raise explain.unreadable(text, error) from None
        return parsed

    def is_group(self, name: str) -> bool:
        """Whether ``name`` is a folder of options (``kernel``) and not a key (``dtype``)."""
        return bool(name) and bool(self.repo.group_exists(name))

    def groups(self) -> list[str]:
        """Every group."""
        return sorted(self.loader.list_groups(""))

    def options(self, group: str) -> list[str]:
        """The options of a group, sorted."""
        if group not in self._options:
            self._options[group] = self.repo.get_group_options(group, ObjectType.CONFIG)
        return self._options[group]

    def raw(self, config_path: str) -> tuple[str | None, Sequence[InputDefault], Any]:
        """A yaml before composition: its ``@package`` header, its defaults list, its content."""
        result = self.repo.load_config(config_path)
        if result is None:
            raise ConfigError(f"there is no config {config_path}.yaml")
        return result.header.get("package"), result.defaults_list or (), result.config

    def compose(self, overrides: Sequence[Override]) -> Composed:
        """What Hydra composes for these overrides, in this order. Raises ConfigError."""
        with _one_line_errors(overrides):
            found = create_defaults_list(
                repo=self.repo,
                config_name=self.config_name,
                overrides_list=list(overrides),
                prepend_hydra=False,
                skip_missing=False,
            )
            cfg = self.loader._compose_config_from_defaults_list(found.defaults, self.repo)
        if "hydra" in cfg:
            del cfg["hydra"]
        OmegaConf.set_struct(cfg, True)
        for override in found.config_overrides:
            apply(override, cfg)
        return Composed(cfg, tuple(found.defaults), dict(found.overrides.known_choices))


def apply(override: Override, cfg: DictConfig) -> None:
    """Apply a value override in place, checked against the schema. Raises ConfigError."""
    try:
        ConfigLoaderImpl._apply_overrides_to_config([override], cfg)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise explain.not_applicable(override, cfg, error) from None


@contextmanager
def _one_line_errors(overrides: Sequence[Override]) -> Iterator[None]:
    try:
        yield
    except ConfigError:
        raise
    except (HydraException, OmegaConfBaseException, ValueError, yaml.YAMLError) as error:
        raise explain.not_composed(overrides, error) from None
