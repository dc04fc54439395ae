"""Axes, exclude and include: what an experiment's yaml and the command line make of a matrix."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.plan import Planned, build_plan
from tests.plan.confs import own_conf

BASE = """
experiment:
  axes:
    kernel: [one, two]
    workload.seq_len: "range(128,641,128)"
    dtype: fp32
"""


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    experiments = {
        "plain": BASE,
        "excluding": BASE
        + """
  exclude:
    - {kernel: two, workload.seq_len: ">256"}
    - {workload.seq_len: [128, "==640"], kernel: "o*"}
    - {gpu.kind: "!=cpu"}
""",
        "including": BASE
        + """
  include:
    - {kernel: two, workload.seq_len: [4096, 8192], dtype: fp32}
    - {kernel: one, workload.seq_len: 128, dtype: fp32}
    - {workload: gpt2, kernel: "glob(o*)", workload.seq_len: 512}
""",
        "emptied": BASE + "  exclude: [{gpu.kind: cpu}]\n",
        "typo_key": BASE + "  exclude: [{workload.seqlen: 3}]\n",
        "typo_gpu": BASE + "  exclude: [{gpu.kin: cpu}]\n",
        "bad_order": BASE + '  exclude: [{workload.seq_len: ">many"}]\n',
        "bad_rule": BASE + "  exclude: [kernel]\n",
        "bad_axis": "experiment: {axes: {kernl: [one]}}",
        "bad_option": "experiment: {axes: {kernel: [one, tow]}}",
        "no_values": "experiment: {axes: {kernel: []}}",
        "optional": """
workload: {window_left: 5}
experiment:
  axes: {kernel: [one, opts], workload.window_left: [null, 7]}
  exclude: [{kernel.options.block: 3}, {workload.window_left: ">6"}]
""",
        "impossible": """
experiment:
  axes: {workload.heads_q: [8, 7], kernel: one, dtype: fp32}
  exclude: [{workload.heads_q: 7}]
""",
    }
    kernels = {"one": "", "two": "", "opts": "options: {block: 3}\n"}
    return own_conf(tmp_path_factory.mktemp("experiments"), kernels, experiments)


def plan(conf: Path, *overrides: str, multirun: bool = False) -> Planned:
    return build_plan(["gpu=cpu", *overrides], multirun=multirun, conf=conf)


def cells(planned: Planned) -> list[tuple[str, str, int]]:
    jobs = [*planned.plan.jobs, *(skip.job for skip in planned.plan.skips)]
    return sorted((job.kernel.name, job.workload, job.problem.seq_q) for job in jobs)


def lengths(planned: Planned, kernel: str, workload: str = "llama3_8b") -> list[int]:
    return [n for name, load, n in cells(planned) if (name, load) == (kernel, workload)]


def test_axes_make_the_product(conf: Path) -> None:
    planned = plan(conf, "experiment=plain")
    assert lengths(planned, "one") == lengths(planned, "two") == [128, 256, 384, 512, 640]
    assert {job.experiment for job in planned.plan.jobs} == {"plain"} == {planned.experiment}


def test_all_conditions_of_a_rule_must_hold(conf: Path) -> None:
    planned = plan(conf, "experiment=excluding")
    assert lengths(planned, "two") == [128, 256]
    assert lengths(planned, "one") == [256, 384, 512]
    assert planned.plan.excluded == 5
    assert planned.to_dict()["excluded"] == 5


def test_include_adds_small_matrices_and_each_cell_counts_once(conf: Path) -> None:
    planned = plan(conf, "experiment=including")
    assert lengths(planned, "one") == [128, 256, 384, 512, 640]
    assert lengths(planned, "two") == [128, 256, 384, 512, 640, 4096, 8192]
    assert lengths(planned, "one", "gpt2") == [512]


def test_a_plain_value_on_the_command_line_replaces_an_axis(conf: Path) -> None:
    planned = plan(conf, "experiment=including", "workload.seq_len=32")
    assert lengths(planned, "one") == lengths(planned, "two") == [32]
    assert lengths(planned, "one", "gpt2") == [32]


def test_a_sweep_on_the_command_line_replaces_an_axis(conf: Path) -> None:
    planned = plan(conf, "experiment=plain", "workload.seq_len=64,96", multirun=True)
    assert lengths(planned, "one") == [64, 96]
    planned = plan(conf, "experiment=plain", "kernel=opts", "workload.batch=2,3", multirun=True)
    assert {job.problem.batch for job in planned.plan.jobs} == {2, 3}
    assert {job.kernel.name for job in planned.plan.jobs} == {"opts"}


def test_values_for_whatever_is_chosen_replace_no_axis(conf: Path) -> None:
    planned = plan(conf, "experiment=including", "workload={batch: 3}")
    assert lengths(planned, "one", "gpt2") == [512]
    assert {job.problem.batch for job in planned.plan.jobs} == {3}


def test_several_experiments_are_joined(conf: Path) -> None:
    planned = plan(conf, "experiment=plain,including", multirun=True)
    assert cells(planned) == cells(plan(conf, "experiment=including"))
    assert planned.experiment == "plain,including"


def test_an_empty_matrix_names_the_rule_that_emptied_it(conf: Path) -> None:
    with pytest.raises(ConfigError, match=r"all of its 10 cells \(\{gpu.kind: cpu\}: 10\)"):
        plan(conf, "experiment=emptied")


def test_a_key_that_only_some_cells_have_leaves_the_others_in(conf: Path) -> None:
    planned = plan(conf, "experiment=optional", "dtype=fp32")
    jobs = [*planned.plan.jobs, *(s.job for s in planned.plan.skips)]
    assert {(job.kernel.name, job.problem.window_left) for job in jobs} == {("one", None)}


def test_an_impossible_cell_is_no_error_once_excluded(conf: Path) -> None:
    assert {job.problem.heads_q for job in plan(conf, "experiment=impossible").plan.jobs} == {8}
    with pytest.raises(ConfigError, match=r"heads_q=7 is not a multiple.*workload.heads_q=7"):
        plan(conf, "experiment=impossible", "experiment.exclude=[]")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("typo_key", r"no cell has such a key. Did you mean workload.seq_len"),
        ("typo_gpu", r"a gpu has no 'kin'. Did you mean kind"),
        ("bad_order", r"> compares with a number, not 'many'"),
        ("bad_rule", r"exclude must list mappings, not 'kernel'"),
        ("bad_axis", r"there is no group or key 'kernl'. Did you mean kernel"),
        ("bad_option", r"experiment bad_option: there is no kernel 'tow'. Did you mean two"),
        ("no_values", r"the experiment's axis kernel has no values"),
    ],
)
def test_mistakes_in_an_experiment_are_named(conf: Path, name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        plan(conf, f"experiment={name}")
