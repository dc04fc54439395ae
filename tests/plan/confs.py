"""attnbench's conf folder with small kernels and experiments of a test's own."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.config.paths import conf_dir

LIMITS = "limits: {cpu: {dtypes: [fp32], masks: [full, causal]}, cuda: {dtypes: [fp32, bf16]}}\n"


def own_conf(folder: Path, kernels: dict[str, str], experiments: dict[str, str]) -> Path:
    """Copy conf/, with only these kernels; each text is added to a minimal yaml."""
    conf = folder / "conf"
    shutil.copytree(conf_dir(), conf)
    shutil.rmtree(conf / "kernel")
    (conf / "kernel").mkdir()
    for name, text in {"sdpa_flash": "", **kernels}.items():
        limits = "" if "limits:" in text else LIMITS
        (conf / "kernel" / f"{name}.yaml").write_text(f"name: {name}\nfile: a.py\n{limits}{text}")
    for name, text in experiments.items():
        body = "# @package _global_\n" + text.strip("\n") + "\n"
        (conf / "experiment" / f"{name}.yaml").write_text(body)
    return conf
