"""Gate settings: conf/gate, or a yaml of the user's own, with overrides on top."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config.paths import conf_dir
from harness.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class GateSettings:
    """What a sweep is held to."""

    name: str
    """Option of conf/gate."""
    metrics: dict[str, float]
    """By metric, the least change for the worse that fails, a share."""
    kernels: dict[str, dict[str, float]]
    """The same for some kernels, by name or glob; the first that matches counts."""
    false_discoveries: float
    """Share of the changes called that may be none."""
    unknown_share: float
    """Above this share of cells without evidence the gate can't answer."""

    def limit(self, metric: str, kernel: str) -> float:
        """The least change that fails ``kernel`` in ``metric``, a share."""
        for glob, limits in self.kernels.items():
            if fnmatch.fnmatchcase(kernel, glob) and metric in limits:
                return limits[metric]
        return self.metrics[metric]


def gate_settings(config: str, overrides: Sequence[str] = ()) -> GateSettings:
    """The settings of an option of conf/gate, or of a yaml file; overrides are ``key=value``.

    Raises:
        ConfigError: no such option, a key that isn't one, a value out of range.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from harness.config.schema import GateConf

    path = (
        Path(config) if config.endswith((".yaml", ".yml")) else conf_dir() / f"gate/{config}.yaml"
    )
    if not path.is_file():
        known = (found.stem for found in (conf_dir() / "gate").glob("*.yaml"))
        raise ConfigError(f"--config {config}: no such gate. {did_you_mean(config, known)}")
    try:
        merged = OmegaConf.merge(
            OmegaConf.structured(GateConf),
            OmegaConf.load(path),
            OmegaConf.from_dotlist([text.removeprefix("gate.") for text in overrides]),
        )
        conf: dict[str, Any] = OmegaConf.to_container(merged)  # type: ignore[assignment]
    except (OmegaConfBaseException, YAMLError, ValueError) as error:
        raise ConfigError(f"gate {config}: {' '.join(str(error).split())}") from None
    if not conf["metrics"]:
        raise ConfigError(f"gate {config}: no metrics, so nothing to hold a sweep to")
    conf.pop("description")
    settings = GateSettings(**conf)
    limits = [
        *settings.metrics.values(),
        *(v for k in settings.kernels.values() for v in k.values()),
    ]
    for what, share in (
        *(("a limit", limit) for limit in limits),
        ("false_discoveries", settings.false_discoveries),
    ):
        if not 0 < share < 1:
            raise ConfigError(f"gate {config}: {what} of {share}: a share between 0 and 1")
    if not 0 <= settings.unknown_share <= 1:
        raise ConfigError(f"gate {config}: unknown_share of {settings.unknown_share}: 0 to 1")
    return settings
