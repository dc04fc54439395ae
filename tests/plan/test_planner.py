"""What a plan says: rows, skips with reasons, settings; other folders; a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.errors import ConfigError
from harness.model import Job
from harness.plan import build_plan
from harness.plan.estimate import job_s, latency_s
from tests.plan.confs import LIMITS, own_conf


def kernel_folder(folder: Path, name: str = "mine", text: str = "", file: str = "mine.py") -> Path:
    (folder / "conf" / "kernel").mkdir(parents=True)
    (folder / "mine.py").write_text("")
    yaml_file = folder / "conf" / "kernel" / f"{name}.yaml"
    yaml_file.write_text(f"name: {name}\nfile: {file}\n{LIMITS}{text}")
    return folder


def test_the_json_form() -> None:
    planned = build_plan(
        ["kernel=eager,numpy", "dtype=fp32,bf16", "gpu=cpu", "workload=gpt2"], multirun=True
    )
    shown = json.loads(json.dumps(planned.to_dict()))
    assert set(shown) == {"name", "jobs", "skipped", "excluded", "launches", "estimate_s"}
    assert len(shown["jobs"]) == 3
    job = shown["jobs"][0]
    assert job["job_key"] == planned.plan.jobs[0].key
    assert (job["kernel"], job["workload"], job["gpu"]) == ("eager", "gpt2", "cpu")
    assert (job["dtype"], job["direction"], job["mode"]) == ("fp32", "forward", "cold")
    assert job["problem"]["heads_kv"] == 12
    (skip,) = shown["skipped"]
    assert skip["kernel"] == "numpy"
    assert skip["reason"] == "dtype bf16 not among fp64, fp32"
    assert shown["estimate_s"] > 0


def test_settings_and_the_composed_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATTNBENCH_STORE", raising=False)
    planned = build_plan(["cluster=inline", "workload.seq_len=64", "gpu=cpu"])
    assert planned.store.url == "sqlite:///results/attnbench.db"
    assert planned.cluster.dispatcher == "inline"
    composed = yaml.safe_load(planned.config_yaml)
    assert composed["workload"]["seq_len"] == 64
    assert composed["gpu"]["name"] == "cpu"
    monkeypatch.setenv("ATTNBENCH_STORE", "sqlite:////tmp/other.db")
    assert build_plan(["gpu=cpu"]).store.url == "sqlite:////tmp/other.db"


def test_lengths_heads_and_dims_default_to_each_other() -> None:
    (job,) = build_plan(["workload=mha", "workload.seq_q=5", "gpu=cpu"]).plan.jobs
    assert (job.problem.seq_q, job.problem.seq_k) == (5, 2048)
    assert job.problem.heads_kv == 16
    assert job.problem.head_dim_v == 128


def test_a_kernel_folder_of_ones_own(tmp_path: Path) -> None:
    folder = kernel_folder(tmp_path / "k")
    planned = build_plan(["kernel=mine", "gpu=cpu", "dtype=fp32"], kernel_dirs=[folder])
    assert planned.plan.jobs[0].kernel.folder == str(folder)
    globbed = build_plan(["kernel=glob(*)", "gpu=cpu"], kernel_dirs=[folder], multirun=True)
    cells = [*globbed.plan.jobs, *(skip.job for skip in globbed.plan.skips)]
    assert {"mine", "eager"} <= {job.kernel.name for job in cells}


def test_new_options_for_a_kernel_of_attnbenchs_own(tmp_path: Path) -> None:
    options = "options: {softmax: native}\n"
    folder = kernel_folder(tmp_path / "k", text=options, file="attention/eager.py")
    (job,) = build_plan(["kernel=mine", "gpu=cpu", "dtype=fp32"], kernel_dirs=[folder]).plan.jobs
    assert job.kernel.folder == ""
    assert job.kernel.options == (("softmax", "native"),)


def test_kernel_folders_that_can_not_be_used(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no kernel folder"):
        build_plan([], kernel_dirs=[tmp_path])
    with pytest.raises(ConfigError, match="two kernels are called eager"):
        build_plan([], kernel_dirs=[kernel_folder(tmp_path / "a", "eager")])
    lost = kernel_folder(tmp_path / "b", file="lost.py")
    with pytest.raises(ConfigError, match=r"kernel mine: there is no .*lost.py"):
        build_plan(["kernel=mine", "gpu=cpu"], kernel_dirs=[lost])
    twice = [kernel_folder(tmp_path / "c"), kernel_folder(tmp_path / "d")]
    with pytest.raises(ConfigError, match="two kernels are called mine"):
        build_plan(["gpu=cpu"], kernel_dirs=twice)


def test_a_missing_package_is_a_skip_here_and_none_on_a_cluster(tmp_path: Path) -> None:
    text = "packages: [no_such_package]\nextra: exotic\n"
    conf = own_conf(tmp_path, {"needy": text}, {})
    here = build_plan(["kernel=needy", "gpu=cpu", "dtype=fp32"], conf=conf)
    (skip,) = here.plan.skips
    assert "needs no_such_package, not installed here" in skip.reason
    assert "attnbench[exotic]" in skip.reason
    there = ["kernel=needy", "gpu=cpu", "dtype=fp32", "cluster.address=head:6379"]
    assert len(build_plan(there, conf=conf).plan.jobs) == 1


def test_a_job_survives_the_way_to_a_worker() -> None:
    (job,) = build_plan(["kernel=eager", "gpu=cpu"]).plan.jobs
    assert Job.from_dict(json.loads(json.dumps(job.to_dict()))).key == job.key


def test_the_estimate_grows_with_the_work() -> None:
    command = ["kernel=eager", "gpu=cpu", "workload.seq_len=128,8192"]
    small, large = build_plan(command, multirun=True).plan.jobs
    assert latency_s(large.problem, large.gpu) > 1000 * latency_s(small.problem, small.gpu)
    once = job_s(small, 0.001)
    assert once == pytest.approx(small.timing.launches * (0.15 + 0.002 + 0.2 + 0.2), rel=0.1)


def test_planning_imports_neither_torch_nor_ray() -> None:
    code = (
        "import sys; from harness.plan import build_plan;"
        "p = build_plan(['experiment=quickstart', 'gpu=cpu']); p.to_dict();"
        "heavy = ('torch', 'ray', 'pandas', 'sqlalchemy', 'numpy', 'altair');"
        "print([m for m in heavy if m in sys.modules], len(p.plan.jobs))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy, _, count = done.stdout.strip().rpartition(" ")
    assert heavy == "[]"
    assert int(count) > 0


def test_ten_thousand_cells_share_their_problems() -> None:
    command = ["kernel=eager,sdpa_math", "workload.seq_len=range(1,2501)", "dtype=fp32,bf16"]
    planned = build_plan([*command, "gpu=cpu"], multirun=True)
    assert len(planned.plan.jobs) == 10_000
    assert len({id(job.problem) for job in planned.plan.jobs}) == 5_000
    assert len({job.key for job in planned.plan.jobs}) == 10_000
