"""conf/ and kernels/ are found beside the package, inside it (a wheel), or missed by name."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.config.paths import conf_dir, kernels_dir
from harness.errors import ConfigError


def test_in_this_checkout() -> None:
    assert (conf_dir() / "config.yaml").is_file()
    assert (kernels_dir() / "attention").is_dir()
    assert not (kernels_dir() / "__init__.py").exists()


def test_inside_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "harness"
    (package / "conf").mkdir(parents=True)
    (package / "kernels").mkdir()
    (package / "conf" / "config.yaml").write_text("")
    (tmp_path / "conf").mkdir()  # somebody else's: it has no config.yaml, and comes second
    monkeypatch.setattr(harness, "__file__", str(package / "__init__.py"))
    assert conf_dir() == package / "conf"
    assert kernels_dir() == package / "kernels"


def test_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "__file__", str(tmp_path / "harness" / "__init__.py"))
    with pytest.raises(ConfigError, match=r"own conf/ folder is missing.*reinstall"):
        conf_dir()
