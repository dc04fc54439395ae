"""``list kernels``: claims, source, version, and why a kernel can't run here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.listing import list_command
from harness.cli.listing_kernels import claims_text, kernel_rows
from tests.cli.conftest import TINY, Cli

BROKEN = {
    "unfinished": ("def build(problem, device, options:\n", "line 1 isn't Python"),
    "nobuild": ("def make(problem):\n    return None\n", "has no build(problem, device, options)"),
    "nested": ("def f():\n    def build(p, d, o): ...\n", "has no build"),
    "stray": ("build = 1\nreturn build\n", "line 2 isn't Python: 'return' outside function"),
    "absent": (None, "no file absent.py"),
    "raises": ("def build(p, d, o): ...\n1 / 0\n", "doesn't import: ZeroDivisionError"),
    "needs": ("import nowhere\ndef build(p, d, o): ...\n", "No module named 'nowhere'"),
    "leaves": ("def build(p, d, o): ...\nraise SystemExit('no')\n", "calls sys.exit('no')"),
    "dies": ("import os\ndef build(p, d, o): ...\nos.abort()\n", "ended by SIGABRT"),
}
GOOD = {
    "plain": "def build(problem, device, options): ...\nprint('{\"kernel\": 1}')\n",
    "chosen": "try:\n    import x\nexcept ImportError:\n    build = print\nelse:\n    build = x.y",
    "brought": "from builtins import *\nglobals()['build'] = print\n",
}
YAML = "name: {name}\noperator: attention\nfile: {name}.py\nlimits:\n  cpu: {{dtypes: [fp32]}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A kernels folder with files that can't work beside ones that may, and a broken yaml."""
    (tmp_path / "conf" / "kernel").mkdir(parents=True)
    for name, text in [*((n, t) for n, (t, _) in BROKEN.items()), *GOOD.items()]:
        (tmp_path / "conf" / "kernel" / f"{name}.yaml").write_text(YAML.format(name=name))
        if text is not None:
            (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "conf" / "kernel" / "unread.yaml").write_text("name: [unread\n")
    (tmp_path / "conf" / "kernel" / "far.yaml").write_text(
        "name: far\noperator: attention\nfile: plain.py\npackages: [no_such_package]\n"
        "extra: hf\nlimits:\n  cpu: {dtypes: [fp32]}\n"
    )
    return tmp_path


def test_a_broken_file_is_listed_with_its_error_and_stops_nothing(folder: Path) -> None:
    rows = {row["kernel"]: row for row in kernel_rows([folder])}
    for name, (_, said) in BROKEN.items():
        assert said in rows[name]["error"], name
        assert not rows[name]["here"]
    for name in GOOD:
        assert rows[name]["here"], rows[name]["why_not"]
    assert "unread.yaml" in rows["unread"]["error"]
    assert rows["eager"]["here"]


def test_what_is_missing_is_named_with_the_extra_that_brings_it(folder: Path) -> None:
    rows = {row["kernel"]: row for row in kernel_rows([folder])}
    assert rows["far"]["why_not"] == "needs no_such_package: pip install 'attnbench[hf]'"
    assert rows["far"]["error"] is None


def test_claims_sources_and_versions_stand_in_the_rows() -> None:
    rows = {row["kernel"]: row for row in kernel_rows([])}
    assert all(row["error"] is None for row in rows.values())
    flash = rows["sdpa_flash"]
    assert flash["claims"]["cuda"]["head_dim_max"] == 256
    assert flash["source"] == "attention/sdpa.py"
    assert len(flash["source_sha256"]) == 64
    assert flash["library"] == "torch"
    assert flash["library_version"]
    assert claims_text({**flash["claims"]["cuda"], "masks": ["causal"]}) == (
        "fp16 bf16; fwd bwd fwd+bwd; causal; head dim up to 256; no unequal head dims; "
        "compute capability from 8"
    )


def test_the_lists_fit_80_columns(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for what in ("kernels", "gpus", "workloads", "experiments"):
        assert list_command(what, [folder], "table") == 0
        lines = capsys.readouterr().out.splitlines()
        paths = [line for line in lines if str(folder) in line]  # a path is never cut
        assert max(len(line) for line in lines if line not in paths) <= 80
    list_command("kernels", [folder], "table")
    assert "BROKEN" in capsys.readouterr().out


def test_listing_imports_neither_torch_nor_hydra_nor_a_kernel(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.cli.listing import list_command; "
        f"list_command('kernels', [Path({str(folder)!r})], 'json'); "
        "sys.exit(' '.join({'torch', 'ray', 'hydra', 'numpy'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_broken_kernel_beside_a_good_one_costs_only_its_own_job(cli: Cli, folder: Path) -> None:
    ran = cli(
        "run", *TINY, "cluster=inline", "-m", "kernel=nobuild,sdpa_math", "workload.seq_len=16",
        "workload.causal=false", "--kernels", str(folder),
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    rows = {r["kernel"]: r for r in json.loads(cli("results", "--format", "json").stdout)}
    assert rows["sdpa_math"]["status"] == "ok"
    assert "has no build" in rows["nobuild"]["reason"]
