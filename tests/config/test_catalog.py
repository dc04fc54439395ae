"""The catalog reads what conf/ offers without Hydra, and a broken yaml takes nothing with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.config import catalog
from harness.config.experiment import expand
from harness.config.loader import Composer
from harness.config.nouns import gpu_of, kernel_of, timing_of
from harness.config.paths import conf_dir

GOOD = "name: {name}\nfile: mine.py\nlimits: {{cpu: {{dtypes: [fp32]}}}}\n"


def plugin(folder: Path, **yamls: str) -> Path:
    conf = folder / "conf" / "kernel"
    conf.mkdir(parents=True)
    for name, text in yamls.items():
        (conf / f"{name}.yaml").write_text(text)
    return folder


@pytest.mark.parametrize("group", ["kernels", "gpus", "workloads", "experiments", "timings"])
def test_everything_that_ships_can_be_read_and_is_described(group: str) -> None:
    found = getattr(catalog, group)()
    assert found
    assert not found.errors
    if group not in ("gpus",):
        assert all(found.descriptions.values()), found.descriptions


def test_a_broken_yaml_is_an_entry_with_its_error(tmp_path: Path) -> None:
    folder = plugin(
        tmp_path,
        good=GOOD.format(name="good"),
        broken="name: [",
        unnamed=GOOD.format(name="other"),
        typo=GOOD.format(name="typo") + "limit: 3\n",
        eager=GOOD.format(name="eager"),
        empty="",
    )
    found = catalog.kernels([folder])
    assert found["good"].folder == str(folder)
    assert found["eager"].folder == ""
    assert "broken" in found.errors
    assert "must be the same" in found.errors["unnamed"]
    assert "Did you mean limits?" in found.errors["typo"]
    assert "keys and values" in found.errors["empty"]
    assert any("another kernel is called eager" in text for text in found.errors.values())


def test_a_yaml_may_build_on_another_of_its_group(tmp_path: Path) -> None:
    child = "defaults: [good, _self_]\nname: child\noptions: {block: 4}\n"
    folder = plugin(tmp_path, good=GOOD.format(name="good"), child=child)
    found = catalog.kernels([folder])
    assert found["child"].limits == found["good"].limits
    assert found["child"].options == (("block", 4),)


def test_the_catalog_says_what_hydra_composes() -> None:
    composer = Composer(conf_dir())
    for group, build in (("kernel", kernel_of), ("gpu", gpu_of), ("timing", timing_of)):
        listed = getattr(catalog, f"{group}s")()
        for name, noun in listed.items():
            (experiment,) = expand(composer, [f"{group}={name}"])
            composed = build(experiment.matrices[0].section(group, ()))  # type: ignore[operator]
            assert composed == noun


def test_reading_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from harness.config import catalog; catalog.kernels(); catalog.experiments();"
        "print([m for m in ('hydra', 'omegaconf', 'torch', 'ray', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
